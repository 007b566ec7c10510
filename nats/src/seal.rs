//! Sealing: bytes that only one worker can read, whoever carries them. NKeys for sealing (X25519), as
//! NATS itself uses them.

use crate::key::Seed;
use base64::{Engine, engine::general_purpose::STANDARD};
use nkeys::XKey;
use sha2::{Digest, Sha256};
use std::fmt;
use streams::secret::Seal;

/// What keeps the key for sealing apart from the one for signing, which it is made from.
const PURPOSE: &[u8] = b"stage7 sealing 1";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is no public key for sealing (56 characters, X…)")]
    NoKey(String),
    #[error("it is sealed to another key ({0}) than this worker's")]
    Another(String),
    #[error("the seal is broken")]
    Broken,
}

/// Opens what is sealed to one worker.
pub struct Opener(XKey);

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SX…")
    }
}

impl Opener {
    /// The worker's own: whoever holds its seed can open what is sealed to it, on any machine.
    pub fn of(seed: &Seed) -> Self {
        let (_, bytes) = nkeys::decode_seed(seed.reveal()).expect("checked when made");
        let derived = Sha256::new().chain_update(PURPOSE).chain_update(bytes).finalize();
        Self(XKey::new_from_raw(derived.into()))
    }

    /// The key to seal to, `X…`.
    pub fn public(&self) -> String {
        self.0.public_key()
    }

    /// # Errors
    /// It is sealed to another, or was changed since.
    pub fn open(&self, seal: &Seal) -> Result<Vec<u8>, Error> {
        if seal.to != self.public() {
            return Err(Error::Another(seal.to.clone()));
        }
        let from = public(&seal.from)?;
        let sealed = STANDARD.decode(&seal.sealed).map_err(|_| Error::Broken)?;
        self.0.open(&sealed, &from).map_err(|_| Error::Broken)
    }
}

/// Seals bytes to a public key, so that not even the sender can open them again.
///
/// # Errors
/// It is no such key.
pub fn seal(to: &str, content: &[u8]) -> Result<Seal, Error> {
    let (recipient, once) = (public(to)?, XKey::new());
    let sealed = once.seal(content, &recipient).map_err(|_| Error::NoKey(to.into()))?;
    Ok(Seal { to: to.into(), from: once.public_key(), sealed: STANDARD.encode(sealed) })
}

fn public(key: &str) -> Result<XKey, Error> {
    XKey::from_public_key(key).map_err(|_| Error::NoKey(key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_it_is_sealed_to_opens_it() {
        let (ours, other) = (Opener::of(&Seed::new()), Opener::of(&Seed::new()));
        let sealed = seal(&ours.public(), b"hunter2").unwrap();
        assert_eq!(ours.open(&sealed).unwrap(), b"hunter2");
        assert!(matches!(other.open(&sealed), Err(Error::Another(_))));
        let forged = Seal { to: other.public(), ..sealed.clone() };
        assert!(matches!(other.open(&forged), Err(Error::Broken)));
        assert_ne!(seal(&ours.public(), b"hunter2").unwrap().sealed, sealed.sealed, "each seal is another");
        assert_eq!(format!("{ours:?}"), "SX…");
    }

    #[test]
    fn a_changed_byte_breaks_the_seal() {
        let ours = Opener::of(&Seed::new());
        let sealed = seal(&ours.public(), b"hunter2").unwrap();
        let bytes = STANDARD.decode(&sealed.sealed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Seal { sealed: STANDARD.encode(changed), ..sealed.clone() };
            assert!(matches!(ours.open(&changed), Err(Error::Broken)), "byte {at}");
        }
        assert!(matches!(ours.open(&Seal { sealed: "?".into(), ..sealed }), Err(Error::Broken)));
    }

    #[test]
    fn the_same_seed_opens_on_any_machine() {
        let seed = Seed::new();
        assert_eq!(Opener::of(&seed).public(), Opener::of(&seed).public());
        assert!(Opener::of(&seed).public().starts_with('X'));
        assert!(matches!(seal("UABC", b"x"), Err(Error::NoKey(_))));
    }
}
