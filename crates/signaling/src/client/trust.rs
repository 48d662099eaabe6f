//! Which certificates of servers are believed.

use super::ClientError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig as TlsConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;

/// What TLS connections to servers are made with: ring, whatever provider other crates brought, and the system's trust
/// roots, or those of a PEM file instead. Reads files, which may take some milliseconds: not for async threads.
///
/// # Errors
/// [`ClientError::Ca`] where the file holds nothing of use, [`ClientError::Roots`] where the system has no roots.
pub fn trust(ca: Option<PathBuf>) -> Result<Arc<TlsConfig>, ClientError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let unusable = |why: String| ClientError::Ca { path: path.clone(), why };
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| unusable(pem_error(&error)))? {
            let certificate = certificate.map_err(|error| unusable(pem_error(&error)))?;
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unusable("it holds no certificate in PEM form".to_owned()));
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
            return Err(ClientError::Roots(why));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Roots(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn pem_error(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
