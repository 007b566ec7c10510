//! Images as every provider takes them.

use super::{Failure, Images, Kind};
use base64::{Engine, prelude::BASE64_STANDARD};
use schemas::{agent::IMAGES, value::Ref};

/// Bytes that one may have; a provider may want less.
const MOST: usize = 20 << 20;

pub struct Image {
    pub media_type: &'static str,
    pub base64: String,
}

impl Image {
    /// The one that is referred to.
    ///
    /// # Errors
    /// No provider takes it: its type, its size, or its bytes are missing.
    pub fn of(reference: &Ref, images: &Images) -> Result<Self, Failure> {
        let refused = |why: String| Failure::new(Kind::Rejected, format!("an image can't be shown: {why}"));
        let said = reference.media_type.split(';').next().unwrap_or_default().trim().to_lowercase();
        let Some(media_type) = IMAGES.into_iter().find(|known| *known == said) else {
            return Err(refused(format!("it is `{said}`, and models take {}", IMAGES.join(", "))));
        };
        let Some(bytes) = images.get(&reference.sha256) else {
            return Err(refused(format!("the bytes of {} are missing", reference.sha256)));
        };
        if bytes.len() > MOST {
            return Err(refused(format!("it has {} bytes, and may have {} MiB", bytes.len(), MOST >> 20)));
        }
        Ok(Self { media_type, base64: BASE64_STANDARD.encode(bytes) })
    }

    /// As a URL that holds the bytes.
    pub fn url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.base64)
    }
}
