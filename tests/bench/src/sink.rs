//! A submission server that takes everything and keeps nothing, fast enough to be no bottleneck: it
//! offers STARTTLS and AUTH, which Postfix's does not.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// A running server; it ends with this value.
pub(crate) struct Sink {
    pub(crate) port: u16,
    /// The CA that vouches for it.
    pub(crate) ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Starts one on a free port.
    pub(crate) fn start() -> Result<Self, Failure> {
        let broken = |error: io::Error| Failure::of("the sink", error);
        let (acceptor, ca_pem) = acceptor()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(broken)?;
        listener.set_nonblocking(true).map_err(broken)?;
        let port = listener.local_addr().map_err(broken)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(broken)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = serve(listener, acceptor) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { port, ca_pem, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Both fail only if the thread is gone already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: std::net::TcpListener, acceptor: TlsAcceptor) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move { hold(tcp, acceptor).await.ok() });
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

async fn hold(tcp: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
    let mut io: BufReader<Box<dyn Io>> = BufReader::new(Box::new(tcp));
    let mut line = Vec::new();
    say(&mut io, "220 sink.example ESMTP").await?;
    loop {
        line.clear();
        if io.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let verb: Vec<u8> = line.iter().take(4).map(u8::to_ascii_uppercase).collect();
        match verb.as_slice() {
            b"EHLO" => say(&mut io, "250-sink.example\r\n250-STARTTLS\r\n250 AUTH PLAIN").await?,
            b"STAR" => {
                say(&mut io, "220 go").await?;
                let tls = acceptor.accept(io.into_inner()).await?;
                io = BufReader::new(Box::new(tls));
            }
            b"AUTH" => say(&mut io, "235 2.7.0 welcome").await?,
            b"DATA" => {
                say(&mut io, "354 go on").await?;
                take(&mut io).await?;
                say(&mut io, "250 2.0.0 taken").await?;
            }
            b"QUIT" => return say(&mut io, "221 2.0.0 bye").await,
            _ => say(&mut io, "250 2.0.0 fine").await?,
        }
    }
}

/// A message up to its dot; a client waits for the answer before it says more.
async fn take(io: &mut BufReader<Box<dyn Io>>) -> io::Result<()> {
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n.\r\n") {
        let chunk = io.fill_buf().await?;
        let (length, from) = (chunk.len(), chunk.len().saturating_sub(END));
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        end.extend_from_slice(&chunk[from..]);
        end.drain(..end.len().saturating_sub(END));
        io.consume(length);
    }
    Ok(())
}

async fn say(io: &mut BufReader<Box<dyn Io>>, text: &str) -> io::Result<()> {
    io.write_all(format!("{text}\r\n").as_bytes()).await?;
    io.flush().await
}

fn acceptor() -> Result<(TlsAcceptor, String), Failure> {
    let broken = |error: rcgen::Error| Failure::of("a certificate", error);
    let mut authority = CertificateParams::new(Vec::new()).map_err(broken)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().map_err(broken)?;
    let authority = CertifiedIssuer::self_signed(authority, own).map_err(broken)?;
    let key = KeyPair::generate().map_err(broken)?;
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(broken)?;
    let chain = vec![server.signed_by(&key, &authority).map_err(broken)?.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der());
    let key = key.map_err(|error| Failure::of("a key", error))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| Failure::of("TLS", error))?;
    Ok((TlsAcceptor::from(Arc::new(config)), authority.pem()))
}

/// CRLF, dot, CRLF.
const END: usize = 5;
