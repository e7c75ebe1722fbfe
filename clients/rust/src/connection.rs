use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
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
    let connector = Connector { addresses: addresses.into() };
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

/// Tries the addresses in turn. tonic asks it again with each call while there is no connection.
#[derive(Clone)]
struct Connector {
    addresses: Arc<[String]>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let addresses = self.addresses.clone();
        Box::pin(async move {
            let mut failures = Vec::new();
            for address in &*addresses {
                let tried = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
                match tried.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => {
                        stream.set_nodelay(true).ok();
                        return Ok(TokioIo::new(stream));
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
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_first_address_that_answers_is_used() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [gone, first.local_addr().unwrap(), second.local_addr().unwrap()].map(|it| it.to_string());
        let mut connector = Connector { addresses: addresses.to_vec().into() };
        let stream = connector.call(Uri::default()).await.unwrap();
        assert_eq!(stream.inner().peer_addr().unwrap(), first.local_addr().unwrap());
        drop(first);
        let stream = connector.call(Uri::default()).await.unwrap();
        assert_eq!(stream.inner().peer_addr().unwrap(), second.local_addr().unwrap());
    }
}
