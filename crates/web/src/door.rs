//! Lets visitors in: not too many at once, none for long.
//!
//! The console shares its process with the sending, so nobody at its door may use up the files the
//! process may open. Knows nothing of what is asked.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// The way in.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    visit_max: Duration,
}

impl Door {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(VISITS_MAX)), visit_max: VISIT_MAX }
    }
}

impl Listener for Door {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let ends = Box::pin(tokio::time::sleep(self.visit_max));
        (Visit { stream, ends, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection. Its place is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    stream: TcpStream,
    ends: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// An error once the visit has lasted too long, whichever way it hangs.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.ends.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Connections at once. A browser opens six; systems let a process open 1,024 files or more.
const VISITS_MAX: usize = 32;

/// How long a connection lives. Browsers open another; whoever sends a request by the letter leaves.
const VISIT_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A door with room for one, and its address.
    async fn narrow(visit_max: Duration) -> (Door, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Door { listener, room: Arc::new(Semaphore::new(1)), visit_max }, address)
    }

    #[tokio::test]
    async fn who_says_nothing_is_shown_out() {
        let (mut door, address) = narrow(Duration::from_millis(20)).await;
        let _caller = TcpStream::connect(address).await.unwrap();
        let (mut visit, _) = door.accept().await;
        let heard = visit.read(&mut [0; 16]).await;
        assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_full_house_lets_the_next_one_wait_outside() {
        let (mut door, address) = narrow(VISIT_MAX).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (visit, _) = door.accept().await;
        let waits = tokio::time::timeout(Duration::from_millis(20), door.accept()).await;
        assert!(waits.is_err(), "there was room for one");
        drop(visit);
        door.accept().await;
    }
}
