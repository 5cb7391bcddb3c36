//! Signs announcements as uWSGI's routers verify it: RSA by PKCS #1 v1.5 (RFC 8017, 8.2) over the fields up to the
//! signature. The key is read with the rights of the vassal, once.

use std::io;
use std::path::Path;

use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::packet::with;
use crate::config::vassal::signing::{Digest, Signing};
use crate::regular::read_regular;
use crate::vassal::trouble::{Trouble, name};

/// Bytes of a file with a key; one of 4096 bits has 3 300.
const KEY_MAX: usize = 16 << 10;
const USABLE: &str = "make one of 2048 to 4096 bits, without a password: openssl genrsa -out FILE 2048";

/// Signs for one key at one router.
#[derive(Debug)]
pub struct Signer {
    key: KeyPair,
    encoding: &'static dyn RsaEncoding,
    /// When it signed, in seconds of unix time.
    last_s: u64,
}

impl Signer {
    /// With the key of that file.
    ///
    /// # Errors
    /// It cannot be read by the vassal, or signs nothing. No word of the file is shown.
    pub fn read(signing: &Signing) -> Result<Self, Trouble> {
        let text = read_regular(&signing.key, KEY_MAX).map_err(|error| unreadable(&signing.key, &error))?;
        let key = key(&text).map_err(|reason| {
            let cause = format!("cannot sign with {}: {reason}", signing.key.display());
            Trouble::new(cause).advise(USABLE)
        })?;
        let encoding: &dyn RsaEncoding = match signing.digest {
            Digest::Sha256 => &RSA_PKCS1_SHA256,
            Digest::Sha384 => &RSA_PKCS1_SHA384,
            Digest::Sha512 => &RSA_PKCS1_SHA512,
        };
        Ok(Self { key, encoding, last_s: 0 })
    }

    /// The fields with time and signature behind them. A router takes nothing that is as old as what it knows, or older:
    /// each time is later than the one before.
    pub fn sign(&mut self, fields: &[u8], unix_s: u64) -> Option<Vec<u8>> {
        self.last_s = unix_s.max(self.last_s.saturating_add(1));
        self.signed_at(fields, self.last_s)
    }

    /// Whether fields of that kind can be signed at all; `None` when not. It says nothing to anybody.
    pub fn longest(&self, fields: &[u8]) -> Option<Vec<u8>> {
        self.signed_at(fields, u64::MAX)
    }

    fn signed_at(&self, fields: &[u8], unix_s: u64) -> Option<Vec<u8>> {
        let fields = with(fields.to_vec(), "unix", unix_s.to_string().as_bytes())?;
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(self.encoding, &SystemRandom::new(), &fields, &mut signature).ok()?;
        with(fields, "sign", &signature)
    }
}

fn unreadable(file: &Path, error: &io::Error) -> Trouble {
    let reason = rustix::io::Errno::from_io_error(error).map_or_else(|| error.to_string(), name);
    let trouble = Trouble::new(format!("cannot read the key {}: {reason}", file.display()));
    trouble.advise("the vassal's user must be allowed to read it, and its jail has to show it")
}

/// The key in a PEM text: PKCS #8 or PKCS #1.
fn key(text: &[u8]) -> Result<KeyPair, String> {
    let read = match PrivateKeyDer::from_pem_slice(text) {
        Ok(PrivateKeyDer::Pkcs8(key)) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        Ok(PrivateKeyDer::Pkcs1(key)) => KeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err("it holds no private RSA key in PEM".to_owned()),
    };
    read.map_err(|rejected| format!("it is no private RSA key that can be used ({rejected})"))
}
