use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Code;
use tonic::codegen::http::{HeaderMap, Request, Response};

use crate::{Client, ClientOptions, RetryPolicy};

type Answer = Result<Vec<u8>, Code>;
type Answers = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// A server in this process that answers as a test says, and a client of it whose pauses between repeats are short.
pub(crate) struct Script {
    pub(crate) client: Client,
    called: watch::Receiver<Vec<String>>,
}

impl Script {
    /// `answers` gives the message, encoded, or the code for a call of the method of this name, once its requests have
    /// ended.
    pub(crate) async fn new(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = vec![listener.local_addr().unwrap().to_string()];
        let backoff = Duration::from_millis(1);
        let retry = RetryPolicy { backoff_min: backoff, backoff_max: backoff, ..Default::default() };
        let client = Client::with_options(ClientOptions { addresses, retry, ..Default::default() }).unwrap();
        let (calls, called) = watch::channel(Vec::new());
        let (answers, calls): (Answers, _) = (Arc::new(answers), Arc::new(calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), calls.clone()));
            }
        });
        Script { client, called }
    }

    /// Waits until the method of this name was called.
    pub(crate) async fn called(&mut self, name: &str) {
        let is_called = self.called.wait_for(|calls| calls.iter().any(|it| it == name));
        timeout(Duration::from_secs(20), is_called).await.expect(name).expect(name);
    }
}

async fn serve(stream: TcpStream, answers: Answers, calls: Arc<watch::Sender<Vec<String>>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, response))) = connection.accept().await {
        let (answers, calls) = (answers.clone(), calls.clone());
        // A call that is reset is no failure of the server.
        tokio::spawn(async move { answer(request, response, answers, &calls).await.ok() });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut response: SendResponse<Bytes>,
    answers: Answers,
    calls: &watch::Sender<Vec<String>>,
) -> Result<(), h2::Error> {
    let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_string();
    calls.send_modify(|calls| calls.push(name.clone()));
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = response.send_response(head, false)?;
    let code = match answers(&name) {
        Ok(message) => {
            // Not compressed, so many bytes.
            let mut frame = BytesMut::from(&[0][..]);
            frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            frame.extend_from_slice(&message);
            stream.send_data(frame.freeze(), false)?;
            Code::Ok
        }
        Err(code) => code,
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", (code as i32).into());
    stream.send_trailers(trailers)
}
