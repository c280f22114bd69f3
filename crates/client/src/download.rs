//! A piece of something that is not JSON: the bytes of a file.
//!
//! Pieces are asked for one by one, so that neither side holds more than one of them, and a piece that can't be had is asked
//! for again by whoever wants it.

use azure_core::http::{Context, Method, PipelineSendOptions, Request};

use crate::{ArmClient, ArmRequest, Failure, link};

impl ArmClient {
    /// `length` bytes from `offset` on; fewer where the file ends before.
    ///
    /// # Errors
    /// As [`Arm::call`](crate::Arm::call); [`Failure::Unreadable`] for an answer that is not that piece.
    pub async fn bytes(
        &self,
        request: &ArmRequest,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, Failure> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut raw = Request::new(link::address(self.endpoint(), request), Method::Get);
        raw.insert_header("accept", "application/octet-stream");
        raw.insert_header("range", format!("bytes={offset}-{}", offset + length - 1));
        let unchecked = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let answer = self
            .pipeline()
            .send(&Context::new(), &mut raw, Some(unchecked))
            .await
            .map_err(|error| self.failed(error))?;
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
        // A server that doesn't know ranges answers 200 with all of it.
        let piece = match status {
            206 => body,
            _ => {
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(body.len());
                let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                &body[start..end.min(body.len())]
            }
        };
        if piece.len() as u64 > length {
            return Err(Failure::Unreadable {
                operation: request.to_string(),
                problem: format!("{} bytes where {length} were asked for", piece.len()),
            });
        }
        Ok(piece.to_vec())
    }
}
