//! The key that tokens in the books are sealed by: where the operator says, else a file beside the
//! configuration. It is in no database, so a copy of the books alone opens nothing.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::TryRng as _;
use secrecy::{ExposeSecret as _, SecretString};
use warmfront_engine::tokens::{KEY_LEN, Key, KeySource, NoKey};

use crate::config::{AuthRef, Config, Mailbox};
use crate::secret::{self, Keepers, SecretRef};

/// Where the key of a configuration comes from.
pub(crate) fn source(config: &Config) -> KeySource {
    let (place, own) = (place(config), config.key.is_some());
    let (shown, keepers) = (shown(config), Keepers::new());
    Arc::new(move || {
        let text = secret::text(&place, OWN, &keepers);
        let text = text.map_err(|error| match own {
            true => NoKey::NotNow(error.to_string()),
            false => NoKey::Gone(format!(
                "the key that tokens are sealed by is not to be had: {error}. Bring {shown} back, or, if \
                 it is lost for ever, log in again: `warmfront mailbox login ADDRESS --new-key`"
            )),
        })?;
        read(&text, &shown).map_err(NoKey::Gone)
    })
}

/// Why a key that the operator keeps elsewhere is not to be had, where some mailbox needs one.
pub(crate) fn missing(config: &Config) -> Option<String> {
    let is_needed = |mailbox: &Mailbox| matches!(mailbox.auth, Some(AuthRef::OAuth(_)));
    if config.key.is_none() || !config.mailboxes.iter().any(is_needed) {
        return None;
    }
    source(config)().err().map(|error| error.to_string())
}

/// Whether the file is not where it should be; what the operator keeps elsewhere is his to find.
pub(crate) fn is_missing(config: &Config) -> bool {
    config.key.is_none() && !file(config).exists()
}

/// What is said where the books' tokens are sealed by a key that is not this one, or is not here.
pub(crate) fn not_the_books(config: &Config) -> String {
    let shown = shown(config);
    let mend = match (config.key.is_some(), is_missing(config)) {
        (true, _) => format!(
            "the tokens in the books are sealed by another key than {shown} gives; have it give \
             that one"
        ),
        (false, true) => format!(
            "the tokens in the books are sealed by a key that is not here; copy {shown} from the \
             machine that has it"
        ),
        (false, false) => format!(
            "the tokens in the books are sealed by another key than {shown}; copy that file from \
             the machine that has the right one"
        ),
    };
    format!(
        "{mend}. If it is lost for ever, `warmfront mailbox login ADDRESS --new-key` begins anew, \
         and every other mailbox has to log in again"
    )
}

/// Makes the file where the key is to be, unless the operator keeps it elsewhere or it is there.
/// Says whether it did.
pub(crate) fn make(config: &Config) -> io::Result<Option<PathBuf>> {
    if config.key.is_some() {
        return Ok(None);
    }
    let file = file(config);
    let made = OpenOptions::new().write(true).create_new(true).mode(OURS_ALONE).open(&file);
    let mut made = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        made => made?,
    };
    let mut key = [0; KEY_LEN];
    rand::rngs::SysRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
    made.write_all(format!("{}\n", BASE64.encode(key)).as_bytes())?;
    made.sync_all()?;
    Ok(Some(file))
}

fn place(config: &Config) -> SecretRef {
    config.key.clone().unwrap_or_else(|| SecretRef::File(file(config)))
}

fn file(config: &Config) -> PathBuf {
    config.path.with_file_name(FILE)
}

/// What the key is called.
fn shown(config: &Config) -> String {
    match config.key {
        Some(_) => OWN.to_owned(),
        // It is to be found on another machine.
        None => {
            std::path::absolute(file(config)).unwrap_or_else(|_| file(config)).display().to_string()
        }
    }
}

fn read(text: &SecretString, shown: &str) -> Result<Key, String> {
    let octets = BASE64.decode(text.expose_secret().trim()).ok();
    let key: Option<[u8; KEY_LEN]> = octets.and_then(|octets| octets.try_into().ok());
    let key = key.ok_or_else(|| {
        format!(
            "{shown} is no key: it must be {KEY_LEN} random octets in Base64, as `openssl rand \
             -base64 {KEY_LEN}` prints them"
        )
    })?;
    Ok(Key::new(Box::new(key)))
}

const FILE: &str = "warmfront.key";

/// A key that is kept elsewhere.
const OWN: &str = "`key` in [store]";

/// Owner's reading and writing, and nobody else's anything.
const OURS_ALONE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn config(dir: &Path, store: &str) -> Config {
        let text = format!("[store]\nurl = \"sqlite://b.db\"\n{store}\n");
        crate::config::parse(&dir.join("warmfront.toml"), &text).unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_for_nobody_else_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "");
        let key = || source(&config)().map(|key| *key.expose_secret());
        let missing = key().unwrap_err().to_string();
        assert!(missing.contains("warmfront.key cannot be read"), "{missing}");
        assert!(missing.contains("--new-key"), "{missing}");
        let file = make(&config).unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let first = key().unwrap();
        assert_eq!(make(&config).unwrap(), None);
        assert_eq!(key().unwrap(), first);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(key().unwrap_err().to_string().contains("others may read"));
    }

    #[test]
    fn a_key_kept_elsewhere_is_taken_from_there_and_none_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let octets = BASE64.encode([7; KEY_LEN]);
        let config = config(dir.path(), &format!("key = {{ command = \"echo {octets}\" }}"));
        assert_eq!(*source(&config)().unwrap().expose_secret(), [7; KEY_LEN]);
        assert_eq!(make(&config).unwrap(), None);
        let short = self::config(dir.path(), "key = { command = \"echo c2hvcnQ=\" }");
        let why = source(&short)().unwrap_err();
        assert!(why.to_string().contains("32 random octets in Base64"), "{why}");
        // Whoever keeps it may be back in a moment: that is no reason to log in again.
        let away = self::config(dir.path(), "key = { command = \"exit 3\" }");
        assert!(matches!(source(&away)().unwrap_err(), NoKey::NotNow(_)));
    }
}
