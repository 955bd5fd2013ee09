//! Topics of an MQTT broker (3.1.1). A message is acknowledged once it is durable here, so the broker sends it again if we die before.

use super::{Intake, IntakeSource, NotTaken, Opened, Pulled, Records, Source, SourceError};
use crate::{
    engine::checkpoint::Position,
    io::mqtt::MqttConnection,
    wire::{Chunk, Format},
};
use rumqttc::{AsyncClient, Event, EventLoop, Packet, Publish, QoS, SubscribeFilter};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::sync::watch;

/// How long to wait before connecting again; doubled up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long opening waits for the broker at most, and how often it looks.
const OPEN_MAX: Duration = Duration::from_secs(3);
const OPEN_NAP: Duration = Duration::from_millis(10);
/// How long to wait where there is no room for a message.
const FULL: Duration = Duration::from_millis(50);
/// Room for acknowledgements: a broker sends at most 65,535 messages that aren't acknowledged.
const REQUESTS: usize = 1 << 16;

/// Which topics, and how.
#[derive(Clone, Debug)]
pub struct MqttSourceOptions {
    /// The broker, and who we are.
    pub connection: MqttConnection,
    /// What is subscribed to.
    pub topics: Vec<String>,
    /// 0 or 1.
    pub qos: u8,
    /// The field that gets a message's topic.
    pub topic_field: Option<String>,
}

/// What the thread that has the connection shares with the source and with acknowledgements.
#[derive(Debug, Default)]
struct Link {
    /// Why the broker can't be reached; none: it can.
    trouble: Option<String>,
    /// Which connection it is: an acknowledgement of another isn't sent.
    generation: u64,
    /// Messages that could not be kept: the broker has to send them again, on a new connection.
    again: bool,
}

type Shared = Arc<Mutex<Link>>;

fn lock(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what a broker sends, through an intake.
#[derive(Debug)]
pub struct MqttSource {
    options: Option<MqttSourceOptions>,
    intake: Intake,
    inner: IntakeSource,
    link: Shared,
    /// Dropped, it ends the thread.
    stop: watch::Sender<()>,
}

impl MqttSource {
    /// A source over an intake; it connects when it is opened.
    pub fn new(options: MqttSourceOptions, intake: Intake, inner: IntakeSource) -> Self {
        let link = Link { trouble: Some("not connected yet".to_owned()), ..Link::default() };
        let (options, link) = (Some(options), Arc::new(Mutex::new(link)));
        Self { options, intake, inner, link, stop: watch::Sender::new(()) }
    }

    fn start(&mut self) -> Result<(), SourceError> {
        let Some(options) = self.options.take() else { return Ok(()) };
        let client =
            Client { options, intake: self.intake.clone(), link: Arc::clone(&self.link), stop: self.stop.subscribe() };
        let name = format!("mqtt {}", self.inner.name());
        let started = thread::Builder::new().name(name).spawn(move || client.run());
        started.map(drop).map_err(|error| SourceError::Log {
            name: self.inner.name().to_owned(),
            error: error.to_string(),
            is_final: true,
        })
    }
}

impl Source for MqttSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        self.inner.format()
    }

    fn open(&mut self) -> Result<Opened, SourceError> {
        self.start()?;
        // It is called ready when this returns; what is sent before the first subscription nobody keeps.
        let mut waited = Duration::ZERO;
        while waited < OPEN_MAX && lock(&self.link).trouble.is_some() {
            thread::sleep(OPEN_NAP);
            waited += OPEN_NAP;
        }
        Ok(Opened { format: Format::Ndjson, partitions: None })
    }

    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError> {
        match self.inner.pull(chunk, patience)? {
            Pulled::Idle => match lock(&self.link).trouble.clone() {
                None => Ok(Pulled::Idle),
                Some(error) => Err(SourceError::Log { name: self.name().to_owned(), error, is_final: false }),
            },
            pulled => Ok(pulled),
        }
    }

    fn is_back(&self) -> bool {
        lock(&self.link).trouble.is_none() && self.inner.is_back()
    }

    fn is_resumable(&self) -> bool {
        self.inner.is_resumable()
    }

    fn place(&self) -> Option<Position> {
        self.inner.place()
    }

    fn last(&mut self) -> Option<Chunk> {
        self.inner.last()
    }
}

/// The thread that has the connection.
struct Client {
    options: MqttSourceOptions,
    intake: Intake,
    link: Shared,
    stop: watch::Receiver<()>,
}

impl Client {
    fn run(mut self) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(async {
                let mut stop = self.stop.clone();
                tokio::select! {
                    // The sender never sends: it goes.
                    _ = stop.changed() => {}
                    () = self.work() => {}
                }
            }),
            Err(error) => lock(&self.link).trouble = Some(error.to_string()),
        }
    }

    /// Reads until the intake is closed.
    async fn work(&mut self) {
        let mut options = self.options.connection.options();
        // The broker keeps what comes while we are away.
        options.set_clean_session(false).set_manual_acks(true);
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        let (mut retry, mut known) = (RETRY_MIN, false);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(answer))) => {
                    // A session of another run may be of other topics. Where it is ours, retained messages would come again.
                    if !(known && answer.session_present) && self.subscribe(&client).is_err() {
                        tracing::error!("topics can't be subscribed to: please report this");
                    }
                    known = true;
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    let refused = answer.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure);
                    if refused {
                        lock(&self.link).trouble = Some("the broker refuses a subscription".to_owned());
                    } else {
                        retry = RETRY_MIN;
                        lock(&self.link).trouble = None;
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    lock(&self.link).trouble = None;
                    if !self.take(&client, message).await {
                        return;
                    }
                }
                Ok(Event::Incoming(_)) if known && lock(&self.link).generation > 0 => {
                    lock(&self.link).trouble = None;
                }
                Ok(_) => {}
                Err(error) => {
                    self.cut(&mut events, Some(error.to_string()));
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
            if std::mem::take(&mut lock(&self.link).again) {
                self.cut(&mut events, None);
                tokio::time::sleep(RETRY_MIN * 10).await;
            }
        }
    }

    /// The connection is gone, or is to be: acknowledgements of it must not reach the next, where a number may be another message's.
    fn cut(&self, events: &mut EventLoop, trouble: Option<String>) {
        let mut link = lock(&self.link);
        link.generation += 1;
        if let Some(error) = trouble {
            if link.trouble.is_none() {
                tracing::warn!(error, "the MQTT broker is away: trying again");
            }
            link.trouble = Some(format!("the MQTT broker can't be reached: {error}"));
        }
        events.clean();
    }

    fn subscribe(&self, client: &AsyncClient) -> Result<(), rumqttc::ClientError> {
        let qos = if self.options.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let filter = |topic: &String| SubscribeFilter::new(topic.clone(), qos);
        client.try_subscribe_many(self.options.topics.iter().map(filter))
    }

    /// Hands a message in, and waits while there is no room: the broker waits, too. False where nothing is taken any more.
    async fn take(&self, client: &AsyncClient, message: Publish) -> bool {
        let mut record = message.payload.to_vec();
        if let Some(field) = &self.options.topic_field {
            add_field(&mut record, field, &message.topic);
        }
        let generation = lock(&self.link).generation;
        let mut said = false;
        loop {
            let (link, client, of) = (Arc::clone(&self.link), client.clone(), message.clone());
            let answer = move |result: Result<(), NotTaken>| {
                let mut link = lock(&link);
                match result {
                    Ok(()) if link.generation == generation && of.qos == QoS::AtLeastOnce => {
                        // Without room for it, or a connection, the message comes again.
                        link.again |= client.try_ack(&of).is_err();
                    }
                    Ok(()) => {}
                    Err(_) => link.again = true,
                }
            };
            let mut records = Records::new();
            records.push(&record);
            match self.intake.submit(records, Box::new(answer)) {
                Ok(()) => return true,
                Err(NotTaken::Closed) => return false,
                Err(NotTaken::Full { .. } | NotTaken::LogFull { .. }) => {}
                Err(error) => {
                    tracing::error!(topic = message.topic, %error, "a message can't be taken");
                    return true;
                }
            }
            if !std::mem::replace(&mut said, true) {
                tracing::debug!("the engine is behind: messages wait at the broker");
            }
            tokio::time::sleep(FULL).await;
        }
    }
}

/// Adds a field to a JSON object, as its last, which counts where there is another of this name. What is no object stays as it is, and is
/// rejected later.
fn add_field(record: &mut Vec<u8>, field: &str, text: &str) {
    let end = record.trim_ascii_end().len();
    let Some((b'}', inside)) = record.get(..end).and_then(<[u8]>::split_last) else { return };
    let is_empty = inside.trim_ascii_end().last() == Some(&b'{');
    let (Ok(field), Ok(text)) = (serde_json::to_string(field), serde_json::to_string(text)) else { return };
    record.truncate(end - 1);
    let comma = if is_empty { "" } else { "," };
    record.extend_from_slice(format!("{comma}{field}:{text}}}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::add_field;

    #[test]
    fn the_topic_becomes_a_field_of_an_object_and_of_nothing_else() {
        for (record, expected) in [
            ("{\"a\":1}", "{\"a\":1,\"topic\":\"x/\\\"y\"}"),
            ("{ }\n", "{ \"topic\":\"x/\\\"y\"}"),
            ("{\"a\":{}}", "{\"a\":{},\"topic\":\"x/\\\"y\"}"),
            ("[1]", "[1]"),
            ("", ""),
            ("{\"a\":1", "{\"a\":1"),
        ] {
            let mut bytes = record.as_bytes().to_vec();
            add_field(&mut bytes, "topic", "x/\"y");
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
        // Not closed before, and not after.
        let mut bytes = b"{\"a\":{}".to_vec();
        add_field(&mut bytes, "topic", "x");
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err());
    }
}
