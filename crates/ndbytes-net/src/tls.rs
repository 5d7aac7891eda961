//! TLS: a certificate chain and its key, and the authorities that others are checked against, from
//! PEM files.

use std::path::Path;
use std::sync::Arc;

use ndbytes::{Code, Error};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};

/// How who listens encrypts: TLS 1.2 and 1.3, and these protocols.
///
/// # Errors
/// [`Code::Argument`], [`Code::Io`]: what is wrong with the files.
pub(crate) fn server(cert: &Path, key: &Path, protocols: &[&str]) -> Result<ServerConfig, Error> {
    let chain = certificates(cert)?;
    if chain.is_empty() {
        return Err(about(cert, &"there is no certificate in it"));
    }
    let secret = std::fs::read(key).map_err(|error| Error::from(error).with_path(key))?;
    let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| about(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| about(cert, &error))?;
    config.alpn_protocols = names(protocols);
    Ok(config)
}

/// How who connects encrypts: certificates are checked against these authorities, or the system's.
///
/// # Errors
/// As [`authorities`].
pub(crate) fn client(pem: Option<&Path>, protocols: &[&str]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities(pem)? {
        // The system may have some of long ago, which nothing is checked against.
        let added = roots.add(authority);
        if let (Err(error), Some(pem)) = (added, pem) {
            return Err(about(pem, &error));
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = names(protocols);
    Ok(config)
}

/// The authorities of this file, or the system's; one at least.
///
/// # Errors
/// [`Code::Argument`] when there are none, [`Code::Io`].
pub(crate) fn authorities(pem: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = match pem {
        Some(pem) => certificates(pem)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    if found.is_empty() {
        let message = "there are no authorities to check certificates against: install the system's (ca-certificates), or name a PEM file";
        let error = Error::new(Code::Argument, message);
        return Err(match pem {
            Some(pem) => error.with_path(pem),
            None => error,
        });
    }
    Ok(found)
}

fn certificates(pem: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = std::fs::read(pem).map_err(|error| Error::from(error).with_path(pem))?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    found.map_err(|error| about(pem, &error))
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Argument, error.to_string()).with_path(path)
}

/// What rustls says of what is not a file's.
fn unusable(error: rustls::Error) -> Error {
    Error::new(Code::Argument, error.to_string())
}

fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
}
