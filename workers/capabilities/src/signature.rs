//! Who vouches for a plugin: RSA-PSS with SHA-256 over its statement, which names every byte of it.
//!
//! Keys are made and used for signing by aws-lc; `rsa` sees public keys only (RUSTSEC-2023-0071 is
//! about the time that private ones take).

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PSS_SHA256},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{
    RsaPublicKey,
    pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding, SecretDocument},
    pss,
    sha2::Sha256,
    signature::Verifier,
    traits::PublicKeyParts,
};
use schemas::value::sha256;
use serde::{Deserialize, Serialize};

/// Where a signature lies beside what it is about.
pub const FILE: &str = "plugin.sig";
const ALGORITHM: &str = "rsa-pss-sha256";
/// Bits of the keys that are made here, and of the smallest that are taken.
const SIZE: KeySize = KeySize::Rsa3072;
const LEAST: usize = 2048;
/// Hex digits of a fingerprint.
const DIGITS: usize = 32;

/// A signature as it lies in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub publisher: String,
    /// The fingerprint of the key.
    pub key: String,
    pub algorithm: String,
    /// Base64.
    pub signature: String,
}

/// Why a key is none.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("it is no RSA key in PEM (`-----BEGIN {0}-----`)")]
    Pem(&'static str),
    #[error("it has {0} bits; {LEAST} are the least")]
    Short(usize),
    #[error("no key can be made")]
    Made,
}

/// What one checks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// # Errors
    /// It is no public RSA key of at least 2048 bits.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key = RsaPublicKey::from_public_key_pem(text.trim()).map_err(|_| KeyError::Pem("PUBLIC KEY"))?;
        let bits = key.size() * 8;
        if bits < LEAST { Err(KeyError::Short(bits)) } else { Ok(Self(key)) }
    }

    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a key can be written")
    }

    /// The first half of the SHA-256 of its DER form, lower-case hex.
    pub fn fingerprint(&self) -> String {
        let der = self.0.to_public_key_der().expect("a key can be written");
        sha256(der.as_bytes())[..DIGITS].into()
    }

    fn verifies(&self, statement: &str, signature: &Signature) -> bool {
        let bytes = STANDARD.decode(&signature.signature).ok();
        let signature = bytes.and_then(|bytes| pss::Signature::try_from(bytes.as_slice()).ok());
        let key = pss::VerifyingKey::<Sha256>::new(self.0.clone());
        signature.is_some_and(|signature| key.verify(statement.as_bytes(), &signature).is_ok())
    }
}

/// What one signs with.
pub struct PrivateKey(KeyPair);

impl PrivateKey {
    /// # Errors
    /// The machine gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate(SIZE).map(Self).map_err(|_| KeyError::Made)
    }

    /// # Errors
    /// It is no private RSA key (PKCS#8).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let wrong = KeyError::Pem("PRIVATE KEY");
        let Ok((label, der)) = SecretDocument::from_pem(text.trim()) else { return Err(wrong) };
        match KeyPair::from_pkcs8(der.as_bytes()) {
            Ok(pair) if label == "PRIVATE KEY" => Ok(Self(pair)),
            _ => Err(wrong),
        }
    }

    /// Only for the file in which it is kept.
    pub fn to_pem(&self) -> String {
        let der = AsDer::<Pkcs8V1Der>::as_der(&self.0).expect("a key can be written");
        let document = SecretDocument::try_from(der.as_ref()).expect("DER is DER");
        document.to_pem("PRIVATE KEY", LineEnding::LF).expect("a key can be written").to_string()
    }

    pub fn public(&self) -> PublicKey {
        let der = AsDer::<PublicKeyX509Der>::as_der(self.0.public_key()).expect("a key can be written");
        PublicKey(RsaPublicKey::from_public_key_der(der.as_ref()).expect("aws-lc made it"))
    }

    /// Vouches for a statement.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn sign(&self, publisher: &str, statement: &str) -> Result<Signature, KeyError> {
        let mut bytes = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), statement.as_bytes(), &mut bytes);
        signed.map_err(|_| KeyError::Made)?;
        let (key, signature) = (self.public().fingerprint(), STANDARD.encode(bytes));
        Ok(Signature { publisher: publisher.into(), key, algorithm: ALGORITHM.into(), signature })
    }
}

/// A key that is known here, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub publisher: String,
    pub key: PublicKey,
    pub is_revoked: bool,
}

/// Why a plugin is not to be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is not signed: `stage7 plugin sign` does that")]
    Unsigned,
    #[error("it is signed with {0}; only {ALGORITHM} is known")]
    Algorithm(String),
    #[error("its manifest names the publisher `{manifest}`, its signature `{signature}`")]
    Publisher { manifest: String, signature: String },
    #[error("key {key} of `{publisher}` is not known here: `stage7 keys trust` makes a publisher's key known")]
    Unknown { publisher: String, key: String },
    #[error("key {key} of `{publisher}` was revoked")]
    Revoked { publisher: String, key: String },
    #[error("it is not what `{publisher}` signed: it was changed since, by one byte at least")]
    Changed { publisher: String },
}

/// Is this what somebody known vouches for?
///
/// # Errors
/// Why not.
pub fn verify(
    manifest_publisher: &str,
    statement: &str,
    signature: Option<&Signature>,
    known: &[Known],
) -> Result<(), Refused> {
    let signature = signature.ok_or(Refused::Unsigned)?;
    let Signature { publisher, key, algorithm, .. } = signature;
    if algorithm != ALGORITHM {
        return Err(Refused::Algorithm(algorithm.clone()));
    }
    if publisher != manifest_publisher {
        return Err(Refused::Publisher { manifest: manifest_publisher.into(), signature: publisher.clone() });
    }
    let (publisher, key) = (publisher.clone(), key.clone());
    match known.iter().find(|one| one.publisher == publisher && one.key.fingerprint() == key) {
        None => Err(Refused::Unknown { publisher, key }),
        Some(one) if one.is_revoked => Err(Refused::Revoked { publisher, key }),
        Some(one) if one.key.verifies(statement, signature) => Ok(()),
        Some(_) => Err(Refused::Changed { publisher }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        let key = PrivateKey::generate().expect("randomness");
        let again = PrivateKey::from_pem(&key.to_pem()).expect("a key");
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).expect("a key"), key.public());
        assert_eq!(key.public().fingerprint().len(), DIGITS);
        for text in ["", "x", &key.public().to_pem()] {
            assert!(matches!(PrivateKey::from_pem(text), Err(KeyError::Pem(_))), "{text}");
        }
        assert!(matches!(PublicKey::from_pem(&key.to_pem()), Err(KeyError::Pem(_))));
        // openssl genrsa 1024 | openssl rsa -pubout
        let short = "-----BEGIN PUBLIC KEY-----\n\
            MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCkrDkd/UfFNcfDP6mVCCCyrg9R\n\
            +6Gex+J4ypH1+oqIK1RqJFjxJTsx+DCnN9KcRXoTxQTpPD9zKkWcby2rE6c6sPl2\n\
            WMVOpXvNU8gD5w/YNd93A1DtCF8jgcECD32OYnySRwhNRw1PIICiIjTYKfyhuJ67\n\
            IEqXbKAixYLfMA0AQwIDAQAB\n-----END PUBLIC KEY-----\n";
        assert!(matches!(PublicKey::from_pem(short), Err(KeyError::Short(1024))));
    }

    #[test]
    fn only_what_was_signed_by_a_key_that_is_known_and_good_is_verified() {
        let (key, other) = (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
        let signature = key.sign("ada", "a statement").expect("signed");
        let known =
            |key: &PrivateKey, is_revoked| vec![Known { publisher: "ada".into(), key: key.public(), is_revoked }];
        let judged = |signature: Option<&Signature>, known: &[Known]| verify("ada", "a statement", signature, known);
        assert_eq!(judged(Some(&signature), &known(&key, false)), Ok(()));
        assert_eq!(judged(None, &known(&key, false)), Err(Refused::Unsigned));
        assert!(matches!(judged(Some(&signature), &known(&key, true)), Err(Refused::Revoked { .. })));
        assert!(matches!(judged(Some(&signature), &known(&other, false)), Err(Refused::Unknown { .. })));
        let changed = verify("ada", "a statememt", Some(&signature), &known(&key, false));
        assert_eq!(changed, Err(Refused::Changed { publisher: "ada".into() }));
        let bob = verify("bob", "a statement", Some(&signature), &known(&key, false));
        assert!(matches!(bob, Err(Refused::Publisher { .. })));
        // Another's key under a known fingerprint.
        let forged = Signature { key: key.public().fingerprint(), ..other.sign("ada", "a statement").expect("signed") };
        assert!(matches!(judged(Some(&forged), &known(&key, false)), Err(Refused::Changed { .. })));
        let weaker = Signature { algorithm: "none".into(), ..signature.clone() };
        assert!(matches!(judged(Some(&weaker), &known(&key, false)), Err(Refused::Algorithm(_))));
        for n in 0..signature.signature.len() {
            let mut text = signature.signature.clone().into_bytes();
            text[n] = if text[n] == b'A' { b'B' } else { b'A' };
            let broken = Signature { signature: String::from_utf8(text).expect("ASCII"), ..signature.clone() };
            assert!(judged(Some(&broken), &known(&key, false)).is_err(), "character {n}");
        }
    }
}
