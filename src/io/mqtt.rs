//! What the source and the sink of an MQTT broker have in common.

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// An MQTT broker and who we are there.
#[derive(Clone)]
pub struct MqttConnection {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted; none: not at all.
    pub tls: Option<MqttTls>,
    /// The client id.
    pub client: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// After how much silence the broker is asked whether it is there.
    pub keep_alive: Duration,
    /// The longest packet, bytes.
    pub packet_bytes_max: usize,
}

impl std::fmt::Debug for MqttConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, client, .. } = self;
        f.debug_struct("MqttConnection").field("host", host).field("port", port).field("client", client).finish()
    }
}

impl MqttConnection {
    /// As the client takes it.
    pub(super) fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(self.client.clone(), self.host.clone(), self.port);
        options.set_keep_alive(self.keep_alive);
        options.set_max_packet_size(self.packet_bytes_max, self.packet_bytes_max);
        if let Some((user, password)) = &self.login {
            options.set_credentials(user.clone(), password.clone());
        }
        if let Some(MqttTls(config)) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(config))));
        }
        options
    }
}

/// Whom a connection trusts, and who we are on it.
#[derive(Clone)]
pub struct MqttTls(Arc<ClientConfig>);

/// Why a connection can't be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum MqttTlsError {
    /// A file isn't there, or nothing in it is what it should have.
    #[error("`{}` has no {what}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should have.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A certificate or key isn't taken.
    #[error("the certificates can't be used: {0}")]
    Certificates(String),
}

impl MqttTls {
    /// Trusts whom `ca` names, or the well-known authorities; `identity` is our own certificate and its key. All are PEM files.
    ///
    /// # Errors
    /// A file can't be read, or what is in it can't be used.
    pub fn new(ca: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<Self, MqttTlsError> {
        let failed = |error: rustls::Error| MqttTlsError::Certificates(error.to_string());
        let mut roots = RootCertStore::empty();
        match ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(ca) => certificates(ca)?.into_iter().try_for_each(|root| roots.add(root)).map_err(failed)?,
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(failed)?.with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let private = PrivateKeyDer::from_pem_file(key);
                let private = private.map_err(|error| wrong(key, "private key", &error))?;
                config.with_client_auth_cert(certificates(certificate)?, private).map_err(failed)?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

fn wrong(path: &Path, what: &'static str, reason: &dyn std::fmt::Display) -> MqttTlsError {
    MqttTlsError::File { path: path.to_owned(), what, reason: reason.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MqttTlsError> {
    let failed = |reason: &dyn std::fmt::Display| wrong(path, "certificate", reason);
    let found = CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    match found.is_empty() {
        true => Err(failed(&"it is no PEM file, or one of something else")),
        false => Ok(found),
    }
}
