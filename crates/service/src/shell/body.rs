//! Reading a request's body: no more of it, and no slower, than the limits allow.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::limits::Limits;
use crate::core::Refusal;

/// How long a body may be slower than it has to be: a connection that begins, a packet that was lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole body.
///
/// # Errors
/// 413 for one that is too large or cut off, 408 for one that takes too long.
pub(super) async fn read(body: Body, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let most = limits.body_bytes;
    let too_large = || {
        let message = format!("The request's body is larger than {most} bytes, or was cut off.");
        Refusal::new(413, "RequestEntityTooLarge", message)
    };
    let began = Instant::now();
    let mut chunks = body.into_data_stream();
    let mut read = Vec::new();
    loop {
        let chunk = timeout_at(latest(began, read.len(), limits), chunks.next());
        match chunk.await {
            Ok(Some(Ok(chunk))) if read.len() + chunk.len() <= most => read.extend(chunk),
            Ok(Some(_)) => return Err(too_large()),
            Ok(None) => return Ok(read),
            Err(_) => {
                let message = "The request's body did not arrive in time.";
                return Err(Refusal::new(408, "RequestTimeout", message));
            }
        }
    }
}

/// Until when the next bytes have to be there, when so many are.
fn latest(began: Instant, read: usize, limits: &Limits) -> Instant {
    let due = Duration::from_secs((read / limits.body_rate.max(1)) as u64);
    began + limits.body_time.min(PATIENCE + due)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(body: Body, limits: &Limits) -> u16 {
        read(body, limits).await.unwrap_err().response().status
    }

    #[tokio::test]
    async fn a_body_is_read_within_its_limits_alone() {
        let limits = Limits {
            body_bytes: 8,
            body_time: Duration::from_millis(10),
            ..Limits::default()
        };
        let eight = Body::from("12345678");
        assert_eq!(read(eight, &limits).await.unwrap(), b"12345678");
        assert_eq!(status(Body::from("123456789"), &limits).await, 413);
        let many = futures::stream::iter((0..9).map(|_| Ok::<_, std::io::Error>("x")));
        assert_eq!(status(Body::from_stream(many), &limits).await, 413);
        let never = futures::stream::pending::<std::io::Result<&str>>();
        assert_eq!(status(Body::from_stream(never), &limits).await, 408);
    }

    #[test]
    fn who_is_slow_is_given_up_before_the_time_is_over() {
        let (began, limits) = (Instant::now(), Limits::default());
        let left = |read| latest(began, read, &limits) - began;
        assert_eq!(left(0), PATIENCE);
        assert_eq!(left(5120), PATIENCE + Duration::from_secs(10));
        assert_eq!(left(1 << 20), limits.body_time);
    }
}
