//! A door between the daemon and a broker that loses nothing: it cuts connections, at random or at requests of a kind, holds what is under way,
//! and closes. The broker names itself as where to connect; its answers are changed to name the door.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Numbers of requests in Kafka's protocol.
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const JOIN_GROUP: i16 = 11;
const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS: i16 = 24;
const ADD_OFFSETS: i16 = 25;
const END_TRANSACTION: i16 = 26;
const TRANSACTION_OFFSETS: i16 = 28;

/// In so many requests of a kind one cuts its connection: half of these before the broker sees it, half after it has answered.
const ODDS: &[(i16, u64)] = &[
    (PRODUCE, 12),
    (FETCH, 200),
    (OFFSET_COMMIT, 12),
    (OFFSET_FETCH, 6),
    (FIND_COORDINATOR, 12),
    (JOIN_GROUP, 12),
    (INIT_PRODUCER_ID, 4),
    (ADD_PARTITIONS, 10),
    (ADD_OFFSETS, 10),
    (END_TRANSACTION, 3),
    (TRANSACTION_OFFSETS, 8),
];

struct Shared {
    broker: String,
    port: u16,
    /// Whether nobody is let in, and whether a transaction is open.
    closed: AtomicBool,
    inside: Mutex<bool>,
    held: AtomicBool,
    ended: AtomicBool,
    rough: AtomicBool,
    random: Mutex<u64>,
    open: Mutex<Vec<TcpStream>>,
    /// How often connections were cut, by request, before and after the broker had it.
    cuts: Mutex<BTreeMap<(i16, bool), u32>>,
    /// What transactions came to.
    told: Mutex<Vec<String>>,
    began: Instant,
}

impl Shared {
    fn one_in(&self, many: u64) -> bool {
        let mut random = self.random.lock().unwrap();
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33).is_multiple_of(many)
    }

    fn tell(&self, what: String) {
        let at = self.began.elapsed().as_millis();
        self.told.lock().unwrap().push(format!("{at} ms: {what}"));
    }

    /// Whether this request cuts its connection, and whether after it was answered.
    fn fate(&self, api: i16) -> Option<bool> {
        let odds = ODDS.iter().find(|(of, _)| *of == api).map(|(_, odds)| *odds)?;
        (self.rough.load(Ordering::Relaxed) && self.one_in(odds)).then(|| {
            let after = self.one_in(2);
            *self.cuts.lock().unwrap().entry((api, after)).or_default() += 1;
            after
        })
    }

    fn wait_while_held(&self) {
        while self.held.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

fn frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; 4 + u32::from_be_bytes(length) as usize];
    frame[..4].copy_from_slice(&length);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[..4].try_into().unwrap())
}

/// A connection's requests that are to be told of, or to cut it when they are answered.
type Awaited = Arc<Mutex<BTreeMap<u32, (i16, bool)>>>;

fn requests(shared: &Shared, mut client: TcpStream, mut broker: TcpStream, awaited: &Awaited) -> io::Result<()> {
    loop {
        let frame = frame(&mut client)?;
        shared.wait_while_held();
        let (api, id) = (i16::from_be_bytes([frame[4], frame[5]]), number(&frame[8..]));
        let fate = shared.fate(api);
        if [ADD_PARTITIONS, ADD_OFFSETS].contains(&api) {
            let mut inside = shared.inside.lock().unwrap();
            // The door may have been shut since the request came.
            if shared.closed.load(Ordering::Relaxed) {
                return Ok(());
            }
            *inside = true;
        }
        if api == END_TRANSACTION {
            // The last byte but tags says whether it is to be committed.
            let tail = &frame[frame.len() - 2..];
            shared.tell(format!("EndTxn {id} {tail:?}, cut {fate:?}"));
        }
        if fate == Some(false) {
            return Ok(());
        }
        if fate.is_some() || api == END_TRANSACTION || api == INIT_PRODUCER_ID {
            awaited.lock().unwrap().insert(id, (api, fate.is_some()));
        }
        broker.write_all(&frame)?;
    }
}

fn answers(shared: &Shared, mut client: TcpStream, mut broker: TcpStream, awaited: &Awaited) -> io::Result<()> {
    let (host, port) = shared.broker.rsplit_once(':').unwrap();
    let address = [host.as_bytes(), &u32::to_be_bytes(port.parse().unwrap())].concat();
    loop {
        let mut frame = frame(&mut broker)?;
        shared.wait_while_held();
        let id = number(&frame[4..]);
        if let Some((api, cut)) = awaited.lock().unwrap().remove(&id) {
            if api == END_TRANSACTION || api == INIT_PRODUCER_ID {
                *shared.inside.lock().unwrap() = false;
                shared.tell(format!("answer to {api}, {id}: {:?}, cut {cut}", &frame[8..]));
            }
            if cut {
                return Ok(());
            }
        }
        let mut at = 8;
        while let Some(found) = frame[at..].windows(address.len()).position(|bytes| bytes == address) {
            at += found + address.len();
            frame[at - 4..at].copy_from_slice(&u32::to_be_bytes(shared.port.into()));
        }
        client.write_all(&frame)?;
    }
}

impl Proxy {
    /// A door to a broker; of its own luck with this seed.
    pub(crate) fn start(broker: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            broker: broker.to_owned(),
            port: listener.local_addr().unwrap().port(),
            closed: AtomicBool::new(false),
            inside: Mutex::new(false),
            held: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            rough: AtomicBool::new(false),
            random: Mutex::new(seed),
            open: Mutex::default(),
            cuts: Mutex::default(),
            told: Mutex::default(),
            began: Instant::now(),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if own.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                if own.closed.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(broker) = TcpStream::connect(&own.broker) else { continue };
                client.set_nodelay(true).unwrap();
                broker.set_nodelay(true).unwrap();
                own.open.lock().unwrap().extend([client.try_clone().unwrap(), broker.try_clone().unwrap()]);
                let awaited = Awaited::default();
                for pump in [requests, answers] {
                    let (shared, awaited) = (Arc::clone(&own), Arc::clone(&awaited));
                    let (client, broker) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
                    thread::spawn(move || {
                        let ends = [client.try_clone().unwrap(), broker.try_clone().unwrap()];
                        let _ = pump(&shared, client, broker, &awaited);
                        ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
                    });
                }
            }
        });
        Self { shared }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.shared.port)
    }

    /// Cuts all that are connected.
    pub(crate) fn cut(&self) {
        self.shared.open.lock().unwrap().drain(..).for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }

    /// Lets nobody in, and cuts those who are; or lets them in again.
    pub(crate) fn close(&self, is_closed: bool) {
        self.shared.closed.store(is_closed, Ordering::Relaxed);
        if is_closed {
            self.cut();
        }
    }

    /// Shuts while no transaction is open.
    pub(crate) fn close_between(&self) {
        loop {
            let inside = self.shared.inside.lock().unwrap();
            if !*inside {
                self.close(true);
                return;
            }
            drop(inside);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Keeps what is sent either way, and lets it on later.
    pub(crate) fn hold(&self, is_held: bool) {
        self.shared.held.store(is_held, Ordering::Relaxed);
    }

    /// Cuts connections at requests, or no longer does.
    pub(crate) fn rough(&self, is_rough: bool) {
        self.shared.rough.store(is_rough, Ordering::Relaxed);
    }

    /// How many connections were cut, and in the middle of which requests.
    pub(crate) fn report(&self) -> String {
        let cuts = self.shared.cuts.lock().unwrap();
        let kinds: BTreeSet<i16> = cuts.keys().map(|(api, _)| *api).collect();
        let count = |api, after| cuts.get(&(api, after)).copied().unwrap_or(0);
        let ends = [count(END_TRANSACTION, false), count(END_TRANSACTION, true)];
        let all: u32 = cuts.values().sum();
        format!(
            "{all} requests of {} kinds cut, of which commits {} before and {} after",
            kinds.len(),
            ends[0],
            ends[1]
        )
    }

    /// What became of transactions.
    pub(crate) fn told(&self) -> String {
        self.shared.told.lock().unwrap().join("\n")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes who waits for the next.
        let _ = TcpStream::connect(self.address());
    }
}
