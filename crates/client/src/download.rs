//! An answer that is not JSON: a piece of a recovery point's files.
//!
//! Pieces are asked for one by one, so that neither side holds more than one of them, and a piece that can't be had is asked
//! for again by whoever wants it.

use crate::{ArmClient, ArmRequest, Failure};

impl ArmClient {
    /// The bytes of an answer.
    ///
    /// # Errors
    /// As [`Arm::call`](crate::Arm::call).
    pub async fn piece(&self, request: &ArmRequest) -> Result<Vec<u8>, Failure> {
        let answer = self.raw(request).await?;
        let status = u16::from(answer.status());
        let body: &[u8] = answer.body().as_ref();
        if status >= 300 {
            return Err(Failure::refused(
                request.to_string(),
                status,
                body,
                None,
                None,
            ));
        }
        Ok(body.to_vec())
    }
}
