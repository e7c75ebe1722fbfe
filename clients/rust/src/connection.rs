use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::io::InspectReader;
use tonic::ConnectError;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::Endpoint;

use crate::Error;
use crate::channel::Channel;
use crate::v1::file_ops_service_client::FileOpsServiceClient;
use crate::v1::lock_service_client::LockServiceClient;
use crate::v1::recovery_service_client::RecoveryServiceClient;

/// A page of 1,000 long paths fits; anything larger is not ours.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A dead connection is noticed after the two together, also by streams that are only listened to.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long one address may take to answer before the next one is asked.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How much the server may send before it is read, on one stream and on all together: downloads that are not read
/// must not keep other calls from theirs.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const USER_AGENT: &str = concat!("safefile-rust/", env!("CARGO_PKG_VERSION"));

/// A connection to the first address that answers, made when it is needed and again when it is gone.
pub(crate) fn connect(addresses: Vec<String>) -> Result<Channel, Error> {
    let Some(first) = addresses.first() else {
        return Err(Error::Configuration("a client needs an address".into()));
    };
    let invalid = |error| Error::Configuration(format!("{first:?} is no address: {error}"));
    let endpoint = Endpoint::from_shared(format!("http://{first}")).map_err(invalid)?;
    let endpoint = (endpoint.user_agent(USER_AGENT).map_err(invalid)?)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER_MAX);
    let connector = Connector::new(addresses);
    Ok(Channel(endpoint.connect_with_connector_lazy(connector)))
}

pub(crate) fn files(channel: Channel) -> FileOpsServiceClient<Channel> {
    FileOpsServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

pub(crate) fn recovery(channel: Channel) -> RecoveryServiceClient<Channel> {
    RecoveryServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

pub(crate) fn locks(channel: Channel) -> LockServiceClient<Channel> {
    LockServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Tries the addresses in turn. tonic asks it again with each call while there is no connection. Any server, or what
/// stands before it, may take a connection and be dead: so the address that was given last is tried last when nothing
/// ever came from it, or when it was given so lately that it is gone already.
#[derive(Clone)]
struct Connector {
    addresses: Arc<[String]>,
    given: Arc<Mutex<Option<Given>>>,
}

/// The address that was given last.
struct Given {
    index: usize,
    at: Instant,
    /// Whether it ever said anything.
    is_heard: Arc<AtomicBool>,
}

impl Connector {
    fn new(addresses: Vec<String>) -> Self {
        Connector { addresses: addresses.into(), given: Arc::default() }
    }

    /// Which addresses to try, in this order.
    fn order(&self) -> Vec<usize> {
        let doubtful = (lock(&self.given).as_ref())
            .filter(|given| !given.is_heard.load(Relaxed) || given.at.elapsed() < KEEPALIVE + KEEPALIVE_ANSWER_MAX)
            .map(|given| given.index);
        let others = (0..self.addresses.len()).filter(|index| Some(*index) != doubtful);
        others.chain(doubtful).collect()
    }

    fn give(&self, index: usize, stream: TcpStream) -> Connection {
        let is_heard = Arc::new(AtomicBool::new(false));
        *lock(&self.given) = Some(Given { index, at: Instant::now(), is_heard: is_heard.clone() });
        let hear: Hear = Box::new(move |bytes| {
            if !bytes.is_empty() {
                is_heard.store(true, Relaxed);
            }
        });
        TokioIo::new(InspectReader::new(stream, hear))
    }
}

fn lock(given: &Mutex<Option<Given>>) -> MutexGuard<'_, Option<Given>> {
    given.lock().unwrap_or_else(PoisonError::into_inner)
}

type Hear = Box<dyn FnMut(&[u8]) + Send>;
type Connection = TokioIo<InspectReader<TcpStream, Hear>>;

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let mut failures = Vec::new();
            for index in connector.order() {
                let address = &connector.addresses[index];
                let tried = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
                match tried.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => {
                        stream.set_nodelay(true).ok();
                        return Ok(connector.give(index, stream));
                    }
                    Err(error) => failures.push(format!("{address}: {error}")),
                }
            }
            Err(ConnectError(failures.join(", ").into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    fn connector<const N: usize>(addresses: [SocketAddr; N]) -> Connector {
        Connector::new(addresses.map(|it| it.to_string()).to_vec())
    }

    async fn peer(connector: &mut Connector) -> SocketAddr {
        connector.call(Uri::default()).await.unwrap().inner().get_ref().peer_addr().unwrap()
    }

    #[tokio::test]
    async fn the_first_address_that_answers_is_used() {
        let gone = listener().await.local_addr().unwrap();
        let (first, second) = (listener().await, listener().await);
        let (at_first, at_second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        let mut connector = connector([gone, at_first, at_second]);
        assert_eq!(peer(&mut connector).await, at_first);
        drop(first);
        assert_eq!(peer(&mut connector).await, at_second);
        assert_eq!(peer(&mut connector).await, at_second);
    }

    #[tokio::test]
    async fn an_address_that_never_answers_is_tried_last() {
        let (silent, second) = (listener().await, listener().await);
        let (at_silent, at_second) = (silent.local_addr().unwrap(), second.local_addr().unwrap());
        let mut connector = connector([at_silent, at_second]);
        let given_long_ago =
            |connector: &Connector| lock(&connector.given).as_mut().unwrap().at -= KEEPALIVE + KEEPALIVE_ANSWER_MAX;
        assert_eq!(peer(&mut connector).await, at_silent);
        // However late that is noticed.
        given_long_ago(&connector);
        let mut connection = connector.call(Uri::default()).await.unwrap().into_inner();
        assert_eq!(connection.get_ref().peer_addr().unwrap(), at_second);
        // One that answered is doubted only as long as it is new.
        let (mut accepted, _) = second.accept().await.unwrap();
        accepted.write_all(b"SETTINGS").await.unwrap();
        connection.read_exact(&mut [0; 8]).await.unwrap();
        lock(&connector.given).as_mut().unwrap().index = 0;
        assert_eq!(connector.order(), [1, 0]);
        given_long_ago(&connector);
        assert_eq!(connector.order(), [0, 1]);
    }
}
