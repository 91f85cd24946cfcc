//! From plain text to TLS, RFC 3207, and never back.
//!
//! lettre's own STARTTLS keeps what came in plain text behind the 220 and reads it as answers
//! inside TLS: whoever is on the path could write the server's lines. Here such octets end the
//! connection.

use std::sync::Arc;

use rustls::ClientConfig;
use warmfront_core::answer::Phase;

use super::Account;
use super::session::Session;
use crate::server::in_time;
use crate::submit::Trouble;
use crate::tls;

/// Upgrades a session that has said EHLO in plain text, and says EHLO again: what was offered
/// before is forgotten (RFC 3207, section 4.2).
pub(super) async fn upgrade(
    session: &mut Session,
    account: &Account,
    config: &Arc<ClientConfig>,
) -> Result<(), Trouble> {
    let host = &account.host;
    if !session.offers.starttls {
        return Err(Trouble::Unsafe(format!(
            "{host} offers no STARTTLS; use `tls = \"implicit\"` if it has a TLS port, and suspect \
             the network between if it used to offer it"
        )));
    }
    session.starttls().await?;
    let injected = session.wire.unasked();
    if injected > 0 {
        return Err(Trouble::Unsafe(format!(
            "{host} sent {injected} octets of plain text behind its answer to STARTTLS; somebody \
             on the path may be writing them"
        )));
    }
    let shaking = tls::handshake(config, host, session.wire.take());
    let (io, shown) = in_time(Phase::StartTls, account.deadlines.connect, shaking).await?;
    session.shown = shown;
    session.wire.put(io);
    session.hello().await
}
