//! The connection to Redis: everything that is asked of it and told to it.
//!
//! Keys that end by themselves: `visavis:node:NAME` while a node lives, `visavis:room:ID` with the name of its home,
//! `visavis:tried:N` and `visavis:missed:N` with what people of one origin tried in this minute. One that stays:
//! `visavis:key`, with which addresses become numbers. Channels: `visavis:to:NAME`, to a node.

#[cfg(test)]
mod tests;

use super::line::{Line, Mail, Parcel, line};
use super::{Node, RedisUrl};
use crate::guard::Guard;
use crate::hub::Hub;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Pipeline, PushInfo, PushKind, RedisError, RedisResult, Value, cmd, from_redis_value,
    pipe,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep, timeout};
use tracing::{debug, info, warn};
use visavis_media::RoomId;
use visavis_signaling::{Door, Origin, OriginLimits};

/// How long Redis may take to answer; mostly it is well below a millisecond.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A node's key lives for so long. After a crash its rooms are free after this time.
const LIFE: Duration = Duration::from_millis(2500);
/// How often it is renewed, and others are looked after.
const TICK: Duration = Duration::from_millis(500);
/// A room's key lives for so long: only what a crash leaves behind ends by that.
const ROOM_LIFE: Duration = Duration::from_secs(120);
/// How often rooms' keys are renewed, in ticks.
const RENEW_EVERY: u32 = 90;
/// Rooms in one request.
const ROOMS_AT_ONCE: usize = 100;
/// Waits between attempts to connect: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Former names that are remembered: a key of theirs lives no longer than it takes to have so many.
const FORMER: usize = 64;
/// How long it may take to tell others that we stop.
const GOODBYE: Duration = Duration::from_secs(2);

/// Finds a room's home (KEYS: room, and what one origin has tried and missed lately; ARGV: us, life of the key in seconds,
/// beginning of nodes' keys, "open" to claim it or "join" or "resume", and how much of both is allowed, 0 for all).
const FIND: &str = "
if ARGV[6] ~= '0' and tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[6]) then return '!' end
if ARGV[5] ~= '0' then
  local tried = redis.call('INCR', KEYS[2])
  if tried == 1 then redis.call('EXPIRE', KEYS[2], 60) end
  if tried > tonumber(ARGV[5]) then return '!' end
end
local home = redis.call('GET', KEYS[1])
if home and home ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. home) == 0 then home = false end
if not home and ARGV[4] == 'open' then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
  home = ARGV[1]
end
if not home and ARGV[4] == 'join' and ARGV[6] ~= '0' then
  if redis.call('INCR', KEYS[3]) == 1 then redis.call('EXPIRE', KEYS[3], 60) end
end
return home";
/// Claims rooms again; tells which are somebody else's (KEYS: rooms; ARGV: as above, but our former names at the end).
const RENEW: &str = "
local lost, ours = {}, {[ARGV[1]] = true}
for i = 4, #ARGV do ours[ARGV[i]] = true end
for i, key in ipairs(KEYS) do
  local home = redis.call('GET', key)
  if not home or ours[home] or redis.call('EXISTS', ARGV[3] .. home) == 0 then
    redis.call('SET', key, ARGV[1], 'EX', ARGV[2])
  else
    lost[#lost + 1] = i
  end
end
return lost";
/// Gives up those of our rooms (KEYS: rooms; ARGV: us).
const LEAVE: &str = "
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end";

fn life_key(node: Node) -> String {
    format!("visavis:node:{node}")
}

fn room_key(room: &RoomId) -> String {
    format!("visavis:room:{}", room.as_str())
}

fn channel(node: Node) -> String {
    format!("visavis:to:{node}")
}

/// What [`serve`] needs besides the address: the other ends of what the hub has.
#[derive(Debug)]
pub(crate) struct Exchange {
    mail: Mail,
    sessions: watch::Sender<Option<Session>>,
}

impl Exchange {
    /// Nothing waits, and there is no connection.
    pub(crate) fn new() -> (Line, Directory, Self) {
        let ((line, mail), (sessions, current)) = (line(), watch::channel(None));
        (line, Directory(current), Self { mail, sessions })
    }
}

/// Where rooms are at home.
#[derive(Debug)]
pub(crate) struct Directory(watch::Receiver<Option<Session>>);

/// The answer to where a room is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Here, under this name; where it was to be opened, it was claimed for that.
    Here(Node),
    /// Nowhere.
    Nobody,
    /// There.
    At(Node),
    /// It was not looked for: who asks does that too often.
    TooFast,
}

/// Who asks for a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Whose attempt this counts as, on all servers together; none where it has been counted.
    pub(crate) origin: Option<Origin>,
    /// How many attempts a minute are allowed, and how many that lead nowhere.
    pub(crate) limits: OriginLimits,
}

impl Directory {
    /// Finds out where a room is at home; it is claimed if it is to be opened and is free. None while Redis cannot be asked.
    pub(crate) async fn find(&self, door: Door, room: &RoomId, wish: Wish) -> Option<Found> {
        let Session { mut connection, me } = self.0.borrow().clone()?;
        let door = match door {
            Door::Open => "open",
            Door::Join => "join",
            Door::Resume => "resume",
        };
        let (origin, limits) = match wish.origin {
            Some(Origin(origin)) => (origin, wish.limits),
            None => (0, OriginLimits::NONE),
        };
        let mut script = cmd("EVAL");
        script.arg(FIND).arg(3).arg(room_key(room));
        script.arg(format!("visavis:tried:{origin:016x}")).arg(format!("visavis:missed:{origin:016x}"));
        script.arg(me.to_string()).arg(ROOM_LIFE.as_secs()).arg("visavis:node:").arg(door);
        script.arg(limits.entries_per_minute).arg(limits.misses_per_minute);
        match script.query_async::<Option<String>>(&mut connection).await {
            Ok(Some(home)) if home == "!" => Some(Found::TooFast),
            Ok(None) => Some(Found::Nobody),
            Ok(Some(home)) => match Node::parse(&home)? {
                home if home == me => Some(Found::Here(me)),
                home => Some(Found::At(home)),
            },
            Err(error) => {
                debug!(error = %kind(&error), "a room's home could not be found");
                None
            }
        }
    }
}

/// One connection to Redis, and our name for as long as it lasts.
#[derive(Clone)]
struct Session {
    connection: MultiplexedConnection,
    me: Node,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.me)
    }
}

/// Keeps a connection to Redis, and passes on what comes and goes, until `stopping` is closed. Then it tells the others.
pub(crate) async fn serve(
    url: RedisUrl,
    hub: Hub,
    guard: Guard,
    mut exchange: Exchange,
    mut stopping: watch::Receiver<()>,
) {
    // Names that we had since all rooms were claimed last, and the attempts since then.
    let (mut former, mut failed) = (Vec::new(), 0_u32);
    loop {
        let lost = Arc::new(Notify::new());
        let begun = tokio::select! {
            begun = Session::begin(&url, &hub, &guard, lost.clone()) => begun,
            _ = stopping.changed() => return,
        };
        match begun {
            Ok(session) => {
                info!("connected to Redis");
                exchange.mail.forget();
                hub.redis_up(session.me, !former.is_empty());
                exchange.sessions.send_replace(Some(session.clone()));
                let mut claimed = false;
                // Rooms that are claimed already are found by others at once, so that these are heard and answered
                // meanwhile.
                let claim = async {
                    session.renew(&hub, &former).await?;
                    claimed = true;
                    Ok::<_, RedisError>(())
                };
                let why = tokio::select! {
                    Err(error) = claim => kind(&error),
                    Err(error) = session.talk(&hub, &mut exchange.mail) => kind(&error),
                    kept = session.keep(&hub) => match kept {
                        Ok(HeldForDead) => "our name has ended before it was renewed".to_owned(),
                        Err(error) => kind(&error),
                    },
                    () = lost.notified() => "closed by the other side".to_owned(),
                    _ = stopping.changed() => {
                        let _ = timeout(GOODBYE, session.end(&hub, &mut exchange.mail)).await;
                        return;
                    }
                };
                exchange.sessions.send_replace(None);
                hub.redis_down();
                warn!(why, "the connection to Redis is lost; rooms that are at home elsewhere cannot be reached");
                if claimed {
                    former.clear();
                    failed = 0;
                }
                former.truncate(FORMER - 1);
                former.insert(0, session.me);
            }
            Err(error) if failed == 0 => warn!(error = %kind(&error), "no connection to Redis"),
            Err(error) => debug!(error = %kind(&error), "no connection to Redis"),
        }
        let wait = FIRST_WAIT.saturating_mul(1 << failed.min(10)).min(LONGEST_WAIT);
        failed = failed.saturating_add(1);
        tokio::select! {
            () = sleep(wait.mul_f64(rand::random_range(0.5..1.0))) => {}
            _ = stopping.changed() => return,
        }
    }
}

/// Our key was gone when it was to be renewed: others may hold us for dead, and have cut off who had to do with us.
struct HeldForDead;

impl Session {
    /// Connects and takes a name. Nobody knows that before rooms are claimed under it.
    async fn begin(url: &RedisUrl, hub: &Hub, guard: &Guard, lost: Arc<Notify>) -> RedisResult<Self> {
        let me = Node(rand::random());
        let ears = hub.clone();
        let pushed = move |push: PushInfo| {
            match (push.kind, push.data.as_slice()) {
                (PushKind::Message, [_, Value::BulkString(bytes)]) => ears.node_said(me, bytes),
                (PushKind::Disconnection, _) => lost.notify_one(),
                _ => {}
            }
            Ok::<(), Infallible>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(ANSWER_WITHIN)
            .set_response_timeout(ANSWER_WITHIN)
            .set_push_sender(pushed);
        let client = Client::open(url.info())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(channel(me)).await?;
        let fresh: [u8; 32] = rand::random();
        let (key,): (Vec<u8>,) = pipe()
            .cmd("SET")
            .arg(life_key(me))
            .arg(1)
            .arg("PX")
            .arg(LIFE.as_millis() as u64)
            .ignore()
            .cmd("SET")
            .arg("visavis:key")
            .arg(&fresh[..])
            .arg("NX")
            .ignore()
            .cmd("GET")
            .arg("visavis:key")
            .query_async(&mut connection)
            .await?;
        guard.share(&key);
        Ok(Self { connection, me })
    }

    /// Sends what is for others, in batches: what comes while one is on its way goes with the next.
    async fn talk(&self, hub: &Hub, mail: &mut Mail) -> RedisResult<Infallible> {
        let mut connection = self.connection.clone();
        loop {
            let parcels = mail.next().await;
            let heard: Vec<i64> = publish(&parcels).query_async(&mut connection).await?;
            for (parcel, _) in parcels.iter().zip(heard).filter(|(_, heard)| *heard == 0) {
                hub.node_gone(parcel.to);
            }
        }
    }

    /// Shows that we live, looks whether others do, and keeps rooms' keys as they should be; until somebody may have
    /// found that we do not live.
    async fn keep(&self, hub: &Hub) -> RedisResult<HeldForDead> {
        let (mut connection, mut ticks, mut count) = (self.connection.clone(), interval(TICK), 0_u32);
        loop {
            ticks.tick().await;
            count = count.wrapping_add(1);
            let (others, rooms) = hub.tick();
            let mut look = pipe();
            // One that is gone stays so: who slept for too long comes back under another name, since what others forgot
            // with this one would never be told.
            look.cmd("PEXPIRE").arg(life_key(self.me)).arg(LIFE.as_millis() as u64);
            let others: Vec<_> = others.into_iter().collect();
            if !others.is_empty() {
                look.cmd("MGET").arg(others.iter().map(|&node| life_key(node)).collect::<Vec<_>>());
                look.cmd("PUBSUB").arg("NUMSUB").arg(others.iter().map(|&node| channel(node)).collect::<Vec<_>>());
            }
            let found = Look::read(look.query_async(&mut connection).await?)?;
            if !found.lived {
                return Ok(HeldForDead);
            }
            for (node, there) in others.into_iter().zip(found.there) {
                if !there {
                    hub.node_gone(node);
                }
            }
            self.leave(&rooms).await?;
            hub.rooms_left(&rooms);
            if count.is_multiple_of(RENEW_EVERY) {
                self.renew(hub, &[]).await?;
            }
        }
    }

    /// Claims all our rooms again, for their keys would end; those that others have by now are closed here.
    async fn renew(&self, hub: &Hub, former: &[Node]) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        for rooms in hub.rooms_held().chunks(ROOMS_AT_ONCE) {
            let mut script = cmd("EVAL");
            script.arg(RENEW).arg(rooms.len()).arg(rooms.iter().map(room_key).collect::<Vec<_>>());
            script.arg(self.me.to_string()).arg(ROOM_LIFE.as_secs()).arg("visavis:node:");
            script.arg(former.iter().map(Node::to_string).collect::<Vec<_>>());
            let lost: Vec<usize> = script.query_async(&mut connection).await?;
            lost.iter().filter_map(|at| rooms.get(at.checked_sub(1)?)).for_each(|room| hub.room_lost(room));
        }
        Ok(())
    }

    async fn leave(&self, rooms: &[RoomId]) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        for rooms in rooms.chunks(ROOMS_AT_ONCE) {
            let mut script = cmd("EVAL");
            script.arg(LEAVE).arg(rooms.len()).arg(rooms.iter().map(room_key).collect::<Vec<_>>());
            script.arg(self.me.to_string()).exec_async(&mut connection).await?;
        }
        Ok(())
    }

    /// Frees our rooms, then tells others what there is to tell.
    async fn end(&self, hub: &Hub, mail: &mut Mail) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        cmd("DEL").arg(life_key(self.me)).exec_async(&mut connection).await?;
        self.leave(&hub.rooms_held()).await?;
        loop {
            match mail.rest() {
                parcels if parcels.is_empty() => return Ok(()),
                parcels => publish(&parcels).exec_async(&mut connection).await?,
            }
        }
    }
}

/// What was found out about nodes.
struct Look {
    /// Whether our own key was still there.
    lived: bool,
    /// Whether each of the others is: its key, and somebody who listens to its channel.
    there: Vec<bool>,
}

impl Look {
    fn read(answers: Vec<Value>) -> RedisResult<Self> {
        let mut answers = answers.into_iter();
        let lived = matches!(answers.next(), Some(Value::Int(1)));
        let (Some(keys), Some(ears)) = (answers.next(), answers.next()) else {
            return Ok(Self { lived, there: Vec::new() });
        };
        let (keys, ears): (Vec<Option<i64>>, Vec<(String, i64)>) = (from_redis_value(&keys)?, from_redis_value(&ears)?);
        let there = keys.iter().zip(ears).map(|(key, (_, ears))| key.is_some() && ears > 0).collect();
        Ok(Self { lived, there })
    }
}

fn publish(parcels: &[Parcel]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(parcels.len());
    for parcel in parcels {
        pipeline.cmd("PUBLISH").arg(channel(parcel.to)).arg(&parcel.bytes[..]);
    }
    pipeline
}

/// What is wrong, without what was said: that may hold an address or a password.
fn kind(error: &RedisError) -> String {
    match error.code() {
        Some(code) => code.to_owned(),
        None => error.category().to_owned(),
    }
}
