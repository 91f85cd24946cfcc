//! Who may log in, for SASL, by the protocol of saslauthd: four counted strings (log-in, password,
//! service, realm) are answered by one that begins with `OK` or `NO`.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug, Default)]
pub(super) struct Passwords(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    known: BTreeMap<String, String>,
    turned_away: Vec<String>,
}

impl Passwords {
    /// Answers there for as long as this process lives.
    pub(super) fn serve(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket");
        std::fs::set_permissions(socket, Permissions::from_mode(0o666)).expect("our socket");
        let passwords = Self::default();
        let answering = passwords.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up half-way asked for nothing.
                let _ = answering.answer(stream);
            }
        });
        passwords
    }

    pub(super) fn admit(&self, login: &str, password: &str) {
        self.book().known.insert(login.to_owned(), password.to_owned());
    }

    pub(super) fn turned_away(&self) -> Vec<String> {
        self.book().turned_away.clone()
    }

    pub(super) fn forget(&self) {
        *self.book() = Book::default();
    }

    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let login = counted(&mut stream)?;
        let password = counted(&mut stream)?;
        // The realm is this machine's name where a log-in has no @, and ours have none.
        let (_service, _realm) = (counted(&mut stream)?, counted(&mut stream)?);
        let mut book = self.book();
        let word: &[u8] = if book.known.get(&login) == Some(&password) {
            b"\0\x02OK"
        } else {
            book.turned_away.push(login);
            b"\0\x02NO"
        };
        stream.write_all(word)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().expect("no panic in between")
    }
}

fn counted(stream: &mut UnixStream) -> io::Result<String> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut text = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}
