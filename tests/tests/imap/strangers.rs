//! Servers that are not who they say, or speak a TLS that is too old. All that comes over TCP is
//! written down: no password is in it, in any spelling.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use warmfront_core::reading::Bookmarks;
use warmfront_mail::imap::{Account, Deadlines, Imap};
use warmfront_mail::inbox::{Inbox as _, Unreadable};
use warmfront_mail::server::{Credentials, Tls};
use warmfront_tests::server::{Certificate, TLS_1_0_SERVER_HELLO, acceptor};

use super::reader::{PASSWORD, now};

const ANN: &str = "ann@one.example";

/// How a stranger answers who asks for TLS.
enum Stranger {
    With(Certificate),
    Tls10,
}

/// What came over TCP.
type Heard = Arc<Mutex<Vec<u8>>>;

/// Serves one connection up to the handshake; says its port and the CA that ought to vouch for it.
async fn start(stranger: Stranger, tls: Tls, heard: Heard) -> (u16, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (acceptor, ca) = match stranger {
        Stranger::With(certificate) => {
            let (acceptor, ca) = acceptor(certificate);
            (Some(acceptor), ca)
        }
        Stranger::Tls10 => (None, acceptor(Certificate::Good).1),
    };
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        serve(tcp, acceptor, tls, heard).await;
    });
    (port, ca)
}

async fn serve(mut tcp: TcpStream, acceptor: Option<TlsAcceptor>, tls: Tls, heard: Heard) {
    if tls == Tls::Starttls {
        tcp.write_all(b"* OK ready\r\n").await.unwrap();
        for answer in ["* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nW1 OK\r\n", "W2 OK\r\n"] {
            let mut room = [0; 1024];
            let read = tcp.read(&mut room).await.unwrap();
            heard.lock().unwrap().extend(&room[..read]);
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
    }
    let Some(acceptor) = acceptor else {
        let mut room = [0; 4096];
        let read = tcp.read(&mut room).await.unwrap();
        heard.lock().unwrap().extend(&room[..read]);
        tcp.write_all(TLS_1_0_SERVER_HELLO).await.unwrap();
        return overhear(tcp, None, heard).await;
    };
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let Ok(mut stream) = acceptor.accept(far).await else { return };
        let _ = stream.write_all(b"* OK ready\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    overhear(tcp, Some(near), heard).await;
}

/// Hands on what comes, and writes it down as it came.
async fn overhear(tcp: TcpStream, to: Option<tokio::io::DuplexStream>, heard: Heard) {
    let (mut from_client, mut to_client) = tcp.into_split();
    let (answers, mut onward) = match to {
        Some(near) => {
            let (answers, onward) = tokio::io::split(near);
            (Some(answers), Some(onward))
        }
        None => (None, None),
    };
    let answering = tokio::spawn(async move {
        if let Some(mut answers) = answers {
            let _ = tokio::io::copy(&mut answers, &mut to_client).await;
        }
    });
    let mut room = [0; 4096];
    while let Ok(read @ 1..) = from_client.read(&mut room).await {
        heard.lock().unwrap().extend(&room[..read]);
        if let Some(onward) = &mut onward
            && onward.write_all(&room[..read]).await.is_err()
        {
            break;
        }
    }
    answering.abort();
}

async fn check(stranger: Stranger, tls: Tls, want: &str) {
    let heard = Heard::default();
    let (port, ca) = start(stranger, tls, Arc::clone(&heard)).await;
    let mut inbox = Imap::new(Account {
        username: ANN.to_owned(),
        credentials: Some(Credentials::Password(PASSWORD.into())),
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        roots: Some(ca.into_bytes()),
        deadlines: Deadlines::default(),
    });
    let read = inbox.read(&Bookmarks::default(), now()).await;
    let Err(Unreadable::Unsafe(why)) = read else { panic!("{want}: {read:?}") };
    assert!(why.contains(want), "{why}");
    let heard = heard.lock().unwrap();
    assert!(!heard.is_empty(), "it was spoken to");
    let heard = String::from_utf8_lossy(&heard);
    let plain = BASE64.encode(format!("\0{ANN}\0{PASSWORD}"));
    for secret in [PASSWORD, &BASE64.encode(PASSWORD), &plain, "LOGIN", "AUTHENTICATE"] {
        assert!(!heard.contains(secret), "{secret} in {heard}");
    }
}

#[tokio::test]
async fn a_stranger_gets_no_password() {
    for tls in [Tls::Implicit, Tls::Starttls] {
        for (certificate, want) in [
            (Certificate::OtherName, "not valid for name \"127.0.0.1\""),
            (Certificate::OtherCa, "UnknownIssuer"),
            (Certificate::SelfSigned, "is not to be trusted: invalid peer certificate"),
            (Certificate::Expired, "certificate expired"),
        ] {
            check(Stranger::With(certificate), tls, want).await;
        }
        check(Stranger::Tls10, tls, "is not to be trusted: peer is incompatible").await;
    }
}
