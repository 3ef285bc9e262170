//! Bodies that are read whole, which happens before anybody is known: bounded in size, in time, and all together.

use access::bodies::Share;
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use std::pin::pin;
use std::time::Duration;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is larger than it may be.
    TooLarge,
    /// It ended before its end.
    Cut,
    /// It did not arrive in time.
    Late,
    /// Bodies of other requests use up what is kept for them.
    Spent,
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn read<B>(body: B, most: usize, within: Duration, share: &Share) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let reading = async {
        let (mut body, mut whole) = (pin!(body), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else { continue };
            if whole.len() + data.len() > most {
                return Err(Unread::TooLarge);
            }
            share.take(data.len()).map_err(|_| Unread::Spent)?;
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    };
    tokio::time::timeout(within, reading).await.unwrap_or(Err(Unread::Late))
}
