//! Pure. With which key and digest announcements are signed: `DIGEST:KEYFILE`.

use std::path::PathBuf;

use crate::config::show::quoted;
use crate::config::values::{Wrong, path, wrong};

const FORM: &str = "write DIGEST:KEYFILE, as in SHA256:/srv/shop/key.pem";
const DIGESTS: &str = "use SHA256, SHA384 or SHA512 here and in the router's `subscriptions-sign-check`: with SHA1 and MD5 \
    a signature proves too little";

/// A private key, and the digest of what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Of the announcement; the router has to use the same.
    pub digest: Digest,
    /// A private RSA key in PEM, as the vassal sees and may read it.
    pub key: PathBuf,
}

/// A digest that signatures are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256 of FIPS 180-4.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// `DIGEST:KEYFILE`.
///
/// # Errors
/// No key, or a digest that no signature is made with.
pub(super) fn signing(value: &str) -> Result<Signing, Wrong> {
    let Some((name, key)) = value.split_once(':') else {
        return wrong(format!("{} is no digest with a key", quoted(value)), FORM);
    };
    Ok(Signing { digest: digest(name)?, key: path(key)? })
}

/// By its name as OpenSSL takes it.
fn digest(name: &str) -> Result<Digest, Wrong> {
    match name.to_ascii_uppercase().as_str() {
        "SHA256" | "SHA2-256" | "RSA-SHA256" => Ok(Digest::Sha256),
        "SHA384" | "SHA2-384" | "RSA-SHA384" => Ok(Digest::Sha384),
        "SHA512" | "SHA2-512" | "RSA-SHA512" => Ok(Digest::Sha512),
        _ => wrong(format!("nothing is signed with the digest {}", quoted(name)), DIGESTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_the_digest_that_a_router_would_name() {
        let read = |text| signing(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.cause));
        let of = |digest, key: &str| Signing { digest, key: key.into() };
        assert_eq!(read("SHA256:/key.pem"), of(Digest::Sha256, "/key.pem"));
        assert_eq!(read("sha384:/odd:name.pem"), of(Digest::Sha384, "/odd:name.pem"));
        assert_eq!(read("RSA-SHA512:/key.pem"), of(Digest::Sha512, "/key.pem"));
    }

    #[test]
    fn a_digest_that_proves_too_little_is_refused_with_those_that_do_not() {
        for text in ["", "/key.pem", "SHA256", "SHA256:", ":/key.pem", "odd:/key.pem"] {
            assert!(signing(text).is_err(), "{text}");
        }
        let wrong = signing("SHA1:/key.pem").expect_err("it is weak");
        assert_eq!(wrong.cause, "nothing is signed with the digest `SHA1`");
        assert!(wrong.cure.is_some_and(|cure| cure.contains("SHA256, SHA384 or SHA512")));
    }
}
