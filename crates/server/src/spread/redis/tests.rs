//! A server and a Redis that answers when a test wants it to.

use super::super::{Frame, Guests, Homes, Ticket, What};
use super::*;
use crate::guard::AddressLimits;
use crate::hub::Saying;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use visavis_signaling::RelayConfig;

const ROOM: &str = "0123456789abcdef0123456789abcdef";
const OTHER: Node = Node(7);
/// For what comes at once.
const SOON: Duration = Duration::from_secs(10);

/// A connection of a server to its Redis, seen from there.
struct Fake {
    stream: BufReader<TcpStream>,
    /// To which the server listens.
    channel: String,
}

impl Fake {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(SOON, listener.accept()).await.expect("it connects").unwrap();
        Self { stream: BufReader::new(stream), channel: String::new() }
    }

    /// The next command, word by word (RESP).
    async fn command(&mut self) -> Vec<Vec<u8>> {
        let count = self.number(b'*').await;
        let mut words = Vec::new();
        for _ in 0..count {
            let mut word = vec![0; self.number(b'$').await + 2];
            self.stream.read_exact(&mut word).await.unwrap();
            word.truncate(word.len() - 2);
            words.push(word);
        }
        words
    }

    async fn number(&mut self, kind: u8) -> usize {
        let mut line = String::new();
        let read = timeout(SOON, self.stream.read_line(&mut line)).await.expect("it says something").unwrap();
        assert!(read > 0, "the server has given up");
        assert_eq!(line.as_bytes()[0], kind, "{line}");
        line[1..].trim().parse().unwrap()
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Answers what comes, up to a command in which this word is; that one is not answered.
    async fn answer_until(&mut self, wanted: &str) -> Vec<Vec<u8>> {
        loop {
            let words = self.command().await;
            if words.iter().any(|word| word == wanted.as_bytes()) {
                return words;
            }
            let text =
                |n: usize| words.get(n).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
            match text(0).as_str() {
                "HELLO" => self.say("%0\r\n").await,
                "SUBSCRIBE" => {
                    self.channel = text(1);
                    self.say(format!(">3\r\n$9\r\nsubscribe\r\n{}:1\r\n", bulk(self.channel.as_bytes()))).await;
                }
                "GET" => self.say("$6\r\nsecret\r\n").await,
                "PEXPIRE" | "PUBLISH" => self.say(":1\r\n").await,
                "MGET" => self.say("*1\r\n$1\r\n1\r\n").await,
                "PUBSUB" => self.say(format!("*2\r\n{}:1\r\n", bulk(text(2).as_bytes()))).await,
                _ => self.say("+OK\r\n").await,
            }
        }
    }

    fn name(&self) -> String {
        self.channel.rsplit(':').next().unwrap().to_owned()
    }

    /// Another server says something.
    async fn push(&mut self, frame: Frame<'_>) {
        let (channel, bytes) = (bulk(self.channel.as_bytes()), frame.write());
        self.say(format!(">3\r\n$7\r\nmessage\r\n{channel}${}\r\n", bytes.len())).await;
        self.say(bytes).await;
        self.say("\r\n").await;
    }
}

fn bulk(bytes: &[u8]) -> String {
    format!("${}\r\n{}\r\n", bytes.len(), String::from_utf8_lossy(bytes))
}

#[tokio::test]
async fn whoever_comes_while_rooms_are_still_being_claimed_again_is_heard_and_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = RedisUrl::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
    let (line, directory, exchange) = Exchange::new();
    let hub = Hub::sharing(RelayConfig::default(), 10, line, directory);
    let (_go_on, stopping) = watch::channel(());
    tokio::spawn(serve(url, hub.clone(), Guard::new(AddressLimits::NONE), exchange, stopping));

    let (connection, mut sayings, _) = hub.connect(Origin(1));
    let open = format!(r#"{{"type":"open","version":1,"roomId":"{ROOM}"}}"#);
    let opening = tokio::spawn(async move { connection.hear(open.into()).await });
    let mut redis = Fake::accept(&listener).await;
    redis.answer_until("open").await;
    let me = redis.name();
    redis.say(bulk(me.as_bytes())).await;
    timeout(SOON, opening).await.unwrap().unwrap();
    let Ok(Some(Saying::Text(opened))) = timeout(SOON, sayings.recv()).await else { panic!("no answer") };
    assert!(opened.contains("opened"), "{opened}");

    // The connection breaks; by the next one the room is claimed under a new name, and somebody finds it at once.
    drop(redis);
    let mut redis = Fake::accept(&listener).await;
    let room_key = format!("visavis:room:{ROOM}");
    let claim = redis.answer_until(&room_key).await;
    assert!(claim.iter().any(|word| word == redis.name().as_bytes()) && claim.iter().any(|word| word == me.as_bytes()));
    let join = format!(r#"{{"type":"join","version":1,"roomId":"{ROOM}","pake":"x"}}"#);
    let what = What::Home(Homes::Enters(Origin(2), &join));
    redis.push(Frame { from: OTHER, ticket: Ticket(3), what }).await;
    // Claims are answered in their order, so everything that comes before an answer is said without one.
    let answer = loop {
        let words = redis.command().await;
        if words[0] == b"PUBLISH" {
            assert_eq!(words[1], channel(OTHER).as_bytes());
            break words[2].clone();
        }
    };
    let Some(Frame { ticket: Ticket(3), what: What::Guest(Guests::Hears(joined)), .. }) = Frame::read(&answer) else {
        panic!("{answer:?}");
    };
    assert!(joined.contains("joined"), "{joined}");

    // It breaks once more before all is claimed: rooms may have either name.
    let second = redis.name();
    drop(redis);
    let mut redis = Fake::accept(&listener).await;
    let claim = redis.answer_until(&room_key).await;
    assert!([&me, &second].iter().all(|name| claim.iter().any(|word| word == name.as_bytes())));
}
