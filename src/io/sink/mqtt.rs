//! Topics of an MQTT broker: each line a message with QoS 1.

use super::{Lines, Sink, SinkError};
use crate::io::mqtt::MqttConnection;
use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet, QoS};
use std::{collections::VecDeque, io, time::Duration};
use tokio::{runtime::Runtime, time::timeout};

/// How long acknowledgements are waited for before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many lines are on their way at a time.
const IN_FLIGHT: usize = 100;
/// How many lines are taken before some have to be acknowledged.
const TAKEN_MAX: usize = 1_000;

/// Writes lines to topics. What the broker has not acknowledged is sent again on the next connection.
pub struct MqttSink {
    topic: String,
    connection: MqttConnection,
    runtime: Runtime,
    link: Option<(AsyncClient, EventLoop)>,
    /// Lines that aren't acknowledged, in order.
    lines: VecDeque<Line>,
    /// How many of these were handed to the client on this connection.
    sent: usize,
}

struct Line {
    topic: String,
    text: Vec<u8>,
    /// The number that the message got.
    number: Option<u16>,
    acknowledged: bool,
}

impl std::fmt::Debug for MqttSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MqttSink").field("topic", &self.topic).field("unacknowledged", &self.lines.len()).finish()
    }
}

impl MqttSink {
    /// A sink of a topic, in which `{rule}` stands for the rule's name. A broker that is away is no error: it is waited for.
    ///
    /// # Errors
    /// The system can't give the thread a timer.
    pub fn new(topic: &str, connection: MqttConnection) -> Result<Self, SinkError> {
        let failed = |error| SinkError::Write { name: topic.to_owned(), error };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        Ok(Self { topic: topic.to_owned(), connection, runtime, link: None, lines: VecDeque::new(), sent: 0 })
    }

    /// Works until at most so many lines aren't acknowledged.
    fn pump(&mut self, at_most: usize) -> Result<(), SinkError> {
        while self.lines.len() > at_most {
            if let Err(error) = self.step() {
                // The next connection begins with the first line that isn't acknowledged.
                self.link = None;
                self.sent = 0;
                self.lines.retain(|line| !line.acknowledged);
                self.lines.iter_mut().for_each(|line| line.number = None);
                tracing::debug!(topic = self.topic, error, "the MQTT connection is gone");
                let error = io::Error::other(format!("{error}; {} lines wait", self.lines.len()));
                return Err(SinkError::Write { name: self.topic.clone(), error });
            }
        }
        Ok(())
    }

    /// Hands the client what it may have, and takes one piece of news.
    fn step(&mut self) -> Result<(), String> {
        let (client, events) = self.link.get_or_insert_with(|| {
            let mut options = self.connection.options();
            // What isn't acknowledged is known here; and nobody is there to answer pings between alerts.
            options.set_clean_session(true).set_keep_alive(Duration::ZERO).set_inflight(IN_FLIGHT as u16);
            AsyncClient::new(options, IN_FLIGHT + 1)
        });
        while self.sent < self.lines.len().min(IN_FLIGHT) {
            let Some(line) = self.lines.get(self.sent) else { break };
            let published = client.try_publish(line.topic.clone(), QoS::AtLeastOnce, false, line.text.clone());
            if published.is_err() {
                break;
            }
            self.sent += 1;
        }
        let news = self.runtime.block_on(async { timeout(PATIENCE, events.poll()).await });
        match news {
            Err(_) => return Err("no acknowledgement came".to_owned()),
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(Event::Outgoing(Outgoing::Publish(number)))) => {
                if let Some(line) = self.lines.iter_mut().find(|line| line.number.is_none()) {
                    line.number = Some(number);
                }
            }
            Ok(Ok(Event::Incoming(Packet::PubAck(ack)))) => {
                let is_it = |line: &&mut Line| line.number == Some(ack.pkid) && !line.acknowledged;
                if let Some(line) = self.lines.iter_mut().find(is_it) {
                    line.acknowledged = true;
                }
                while self.lines.front().is_some_and(|line| line.acknowledged) {
                    self.lines.pop_front();
                    self.sent = self.sent.saturating_sub(1);
                }
            }
            Ok(Ok(_)) => {}
        }
        Ok(())
    }
}

/// A topic that is published to has no wildcards.
fn topic_of(template: &str, rule: &[u8]) -> String {
    let rule: String =
        String::from_utf8_lossy(rule).chars().map(|c| if matches!(c, '+' | '#' | '\0') { '_' } else { c }).collect();
    template.replace("{rule}", &rule)
}

impl Sink for MqttSink {
    fn name(&self) -> &str {
        &self.topic
    }

    fn write(&mut self, lines: &Lines) -> Result<(), SinkError> {
        // Room first: after an error nothing of the call was taken.
        self.pump(TAKEN_MAX)?;
        for (rule, text) in lines.iter() {
            let (topic, text) = (topic_of(&self.topic, rule), text.to_vec());
            self.lines.push_back(Line { topic, text, number: None, acknowledged: false });
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.pump(0)
    }

    fn close(&mut self) -> Result<(), SinkError> {
        self.flush()?;
        if let Some((client, events)) = &mut self.link
            && client.try_disconnect().is_ok()
        {
            // Goodbye is a courtesy.
            let _ = self.runtime.block_on(async { timeout(Duration::from_secs(1), events.poll()).await });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::topic_of;

    #[test]
    fn a_rules_name_becomes_part_of_the_topic_without_wildcards() {
        assert_eq!(topic_of("alerts/{rule}/x", b"Too#Fast+"), "alerts/Too_Fast_/x");
        assert_eq!(topic_of("alerts", b"Seen"), "alerts");
    }
}
