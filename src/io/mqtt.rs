//! What the source and the sink of an MQTT broker have in common.

use rumqttc::MqttOptions;
use std::time::Duration;

/// An MQTT broker and who we are there. The connection is not encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttConnection {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
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
        options
    }
}
