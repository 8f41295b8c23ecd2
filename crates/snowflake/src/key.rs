//! RSA key pairs for log-in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding,
};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use crate::session::Secret;
use crate::sql::{literal, quoted};

/// Snowflake takes 2048 bits and more; with more, each log-in takes the function longer.
const BITS: usize = 2048;

/// A private key and what Snowflake is to know of it. The key itself is never shown: see [`Secret`].
#[derive(Debug)]
pub struct KeyPair {
    /// Unencrypted PKCS#8 PEM.
    pub private_key_pem: Secret,
    /// Its public half.
    pub public_key: PublicKey,
}

/// What Snowflake knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Base64 of its DER, without the lines around it: the value of RSA_PUBLIC_KEY.
    pub base64: String,
    /// `SHA256:…`, as DESC USER has it in RSA_PUBLIC_KEY_FP.
    pub fingerprint: String,
}

/// No key came out, or the text is none.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}")]
pub struct KeyError {
    what: &'static str,
}

/// Which of a user's two keys: with two, one can be replaced while the other is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// RSA_PUBLIC_KEY
    First,
    /// RSA_PUBLIC_KEY_2
    Second,
}

impl Slot {
    /// The property of the user.
    pub fn property(self) -> &'static str {
        match self {
            Self::First => "RSA_PUBLIC_KEY",
            Self::Second => "RSA_PUBLIC_KEY_2",
        }
    }

    /// The one that is left.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl KeyPair {
    /// A new key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS)
            .map_err(|_| KeyError { what: "make an RSA key: the system gave no random numbers" })?;
        // Both forms of the key are overwritten when they are dropped.
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError { what: "write an RSA key as PEM" })?;
        Ok(Self { public_key: PublicKey::of(&key.to_public_key())?, private_key_pem: Secret::new(pem.as_str()) })
    }
}

impl PublicKey {
    /// The public half of a private key.
    ///
    /// # Errors
    /// The text is no RSA key in unencrypted PKCS#8 PEM.
    pub fn of_private(pem: &Secret) -> Result<Self, KeyError> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem.expose().trim().trim_start_matches('\u{feff}'))
            .map_err(|_| KeyError { what: "read the private key: it is no RSA key in unencrypted PKCS#8 PEM" })?;
        Self::of(&key.to_public_key())
    }

    /// From base64 or PEM.
    ///
    /// # Errors
    /// The text is neither, or no RSA key that Snowflake would take.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let base64: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        if text.contains("PRIVATE KEY") {
            return Err(KeyError { what: "read the public key: it is a private one" });
        }
        let der = STANDARD.decode(&base64).ok().filter(|der| !der.is_empty());
        let der = der.ok_or(KeyError { what: "read the public key: it is neither PEM nor base64" })?;
        let key = RsaPublicKey::from_public_key_der(&der)
            .map_err(|_| KeyError { what: "read the public key: it is no RSA key (SubjectPublicKeyInfo)" })?;
        if key.n().bits() < BITS {
            return Err(KeyError { what: "read the public key: it is shorter than 2048 bits" });
        }
        Ok(Self { fingerprint: fingerprint(&der), base64 })
    }

    /// As PEM.
    pub fn pem(&self) -> String {
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in self.base64.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    fn of(key: &RsaPublicKey) -> Result<Self, KeyError> {
        let der = key.to_public_key_der().map_err(|_| KeyError { what: "write the public key" })?;
        Ok(Self { base64: STANDARD.encode(der.as_bytes()), fingerprint: fingerprint(der.as_bytes()) })
    }
}

fn fingerprint(der: &[u8]) -> String {
    format!("SHA256:{}", STANDARD.encode(Sha256::digest(der)))
}

/// The statement that gives a user a public key.
pub fn set_public_key(user: &str, slot: Slot, key: &PublicKey) -> String {
    format!("ALTER USER {} SET {} = {}", quoted(user), slot.property(), literal(&key.base64))
}

/// The statement that takes one away.
pub fn unset_public_key(user: &str, slot: Slot) -> String {
    format!("ALTER USER {} UNSET {}", quoted(user), slot.property())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_pair_is_told_by_one_fingerprint_however_it_is_read() {
        let pair = KeyPair::generate().unwrap();

        assert_eq!(PublicKey::of_private(&pair.private_key_pem).unwrap(), pair.public_key);
        assert_eq!(PublicKey::parse(&pair.public_key.pem()).unwrap(), pair.public_key);
        assert_eq!(PublicKey::parse(&pair.public_key.base64).unwrap(), pair.public_key);
        assert!(pair.public_key.fingerprint.starts_with("SHA256:") && pair.public_key.fingerprint.len() == 51);
    }

    #[test]
    fn a_private_key_is_neither_shown_nor_taken_for_a_public_one() {
        let pair = KeyPair::generate().unwrap();
        let pem = pair.private_key_pem.expose();
        let line = pem.lines().nth(1).unwrap();

        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(!format!("{pair:?}").contains(line));
        let error = PublicKey::parse(pem).unwrap_err().to_string();
        assert_eq!(error, "failed to read the public key: it is a private one");
    }

    #[test]
    fn what_snowflake_would_not_take_is_no_public_key() {
        let said = |text: &str| PublicKey::parse(text).unwrap_err().to_string();

        assert!(said("not a key").ends_with("it is neither PEM nor base64") && said("").ends_with("nor base64"));
        assert!(said("TUlJQklqQU4=").ends_with("it is no RSA key (SubjectPublicKeyInfo)"));
        assert!(said(SHORT).ends_with("it is shorter than 2048 bits"));
    }

    /// Of 1024 bits.
    const SHORT: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCV/tCjX0MNeQYAJD7w9IOdmc3jcqCpVW9e2bi2hQ95a88G14BcttXWpgkGrJYVaI73\
        15+kIdnMuKDKL0ieXIysnUzenmd27lfLuXAtP2Uf86wExpnO+l+b5Y0jM0nIHPz8VVRZlt3bZFkuv3/7NWV/gGg7Jqw95ggHZKVQOMpy/QIDAQAB";

    #[test]
    fn a_user_has_two_keys_and_either_can_be_set() {
        let key = PublicKey { base64: "TUlJ".to_owned(), fingerprint: String::new() };
        assert_eq!(set_public_key("U", Slot::First, &key), r#"ALTER USER "U" SET RSA_PUBLIC_KEY = 'TUlJ'"#);
        assert_eq!(set_public_key("U", Slot::Second, &key), r#"ALTER USER "U" SET RSA_PUBLIC_KEY_2 = 'TUlJ'"#);
        assert_eq!(unset_public_key("U", Slot::First), r#"ALTER USER "U" UNSET RSA_PUBLIC_KEY"#);
    }
}
