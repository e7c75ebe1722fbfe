use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::transport;

const DETAILS_KEY: &str = "grpc-status-details-bin";
/// What tonic takes for the details of an error. It panics at anything else.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The connection of a client, for the generated stubs of [`v1`](crate::v1). It is that of tonic, but for details of
/// errors that cannot be decoded: those are left out, and the code and message of the error stay.
#[derive(Clone, Debug)]
pub struct Channel(pub(crate) transport::Channel);

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, transport::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move { Ok(decodable(answer.await?)) })
    }
}

fn decodable(answer: Response<Body>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    without_broken_details(&mut parts.headers);
    let body = body.map_frame(|mut frame| {
        if let Some(trailers) = frame.trailers_mut() {
            without_broken_details(trailers);
        }
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

fn without_broken_details(headers: &mut HeaderMap) {
    if headers.get(DETAILS_KEY).is_some_and(|details| BASE64.decode(details).is_err()) {
        headers.remove(DETAILS_KEY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(details: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", "10".parse().unwrap());
        headers.insert(DETAILS_KEY, details.parse().unwrap());
        headers
    }

    async fn trailers(details: &str) -> HeaderMap {
        let trailers = headers(details);
        let body = Body::empty().with_trailers(async { Some(Ok(trailers)) });
        let answer = decodable(Response::new(Body::new(body)));
        answer.into_body().collect().await.unwrap().trailers().unwrap().clone()
    }

    #[tokio::test]
    async fn details_that_cannot_be_decoded_are_left_out() {
        for details in ["YWJj", "YWI=", "YWI"] {
            assert!(tonic::Status::from_header_map(&trailers(details).await).is_some());
            assert!(trailers(details).await.contains_key(DETAILS_KEY));
        }
        for details in ["%%%", "YWJjZ", "YW=I"] {
            let trailers = trailers(details).await;
            assert!(!trailers.contains_key(DETAILS_KEY));
            assert_eq!(trailers["grpc-status"], "10");
            let mut found = headers(details);
            without_broken_details(&mut found);
            assert_eq!(tonic::Status::from_header_map(&found).unwrap().code(), tonic::Code::Aborted);
        }
    }
}
