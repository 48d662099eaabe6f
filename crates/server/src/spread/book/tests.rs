//! The rules, and several books that talk to each other in orders that nobody chose.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const ROOM: &str = "0123456789abcdef0123456789abcdef";

fn id(n: u64) -> ConnectionId {
    ConnectionId(n)
}

/// A message that enters a room names nothing else here.
fn room(text: &str) -> Option<RoomId> {
    (text.len() == 32).then(|| RoomId::new(text))
}

fn frame(from: u64, ticket: u64, what: What<'_>) -> Frame<'_> {
    Frame { from: Node(from), ticket: Ticket(ticket), what }
}

fn book(me: u64) -> Book {
    let mut book = Book::new(3);
    book.connected(Instant::now(), Node(me), false);
    book
}

/// With a room at home here, and a guest in it.
fn home() -> Book {
    let mut home = book(1);
    home.claims.begin(&RoomId::new(ROOM));
    home.claims.end(&RoomId::new(ROOM), true);
    let enters = frame(2, 5, What::Home(Homes::Enters(Origin(7), ROOM)));
    assert_eq!(home.heard(Instant::now(), enters, room), Act::Arrives(Origin(7), ROOM));
    home.admit(Node(2), Ticket(5), id(100));
    home
}

#[test]
fn a_guest_is_known_from_its_entry_until_its_end() {
    let (mut home, now) = (home(), Instant::now());
    assert_eq!(home.heard(now, frame(2, 5, What::Home(Homes::Says("hi"))), room), Act::Says(id(100), "hi"));
    assert_eq!(home.heard(now, frame(2, 5, What::Home(Homes::Lives)), room), Act::Lives(id(100)));
    let enters = frame(2, 5, What::Home(Homes::Enters(Origin(7), ROOM)));
    assert_eq!(home.heard(now, enters, room), Act::Nothing, "a ticket is used once");
    assert_eq!(home.node_of(id(100)), Some((Node(2), Ticket(5))));
    assert_eq!(home.heard(now, frame(2, 5, What::Home(Homes::Closed)), room), Act::Closed(id(100)));
    let unknown = Act::Answer(What::Guest(Guests::Unknown));
    assert_eq!(home.heard(now, frame(2, 5, What::Home(Homes::Says("hi"))), room), unknown);
    assert_eq!(home.heard(now, frame(2, 5, What::Home(Homes::Lost)), room), Act::Nothing);
    home.check();
}

#[test]
fn another_nodes_ticket_of_the_same_number_is_somebody_else() {
    let (mut home, now) = (home(), Instant::now());
    let unknown = Act::Answer(What::Guest(Guests::Unknown));
    assert_eq!(home.heard(now, frame(3, 5, What::Home(Homes::Says("hi"))), room), unknown);
    let mut away = book(2);
    let ticket = away.go(now, id(1), Node(1), ROOM).0;
    let lost = Act::Answer(What::Home(Homes::Lost));
    assert_eq!(away.heard(now, frame(3, ticket, What::Guest(Guests::Hears("hi"))), room), lost);
    assert_eq!(away.heard(now, frame(3, ticket, What::Guest(Guests::Close(4000, ""))), room), Act::Nothing);
    assert_eq!(away.heard(now, frame(1, ticket, What::Guest(Guests::Hears("hi"))), room), Act::Hears(id(1), "hi"));
}

#[test]
fn who_is_sent_to_the_wrong_place_looks_again_with_the_same_words() {
    let (mut home, mut away, now) = (book(1), book(2), Instant::now());
    let enters = frame(2, 0, What::Home(Homes::Enters(Origin(7), ROOM)));
    assert_eq!(home.heard(now, enters, room), Act::Answer(What::Guest(Guests::Moved)));
    assert_eq!(home.claims.leave(|_| true), [RoomId::new(ROOM)], "a key that was left behind");
    let ticket = away.go(now, id(1), Node(1), ROOM).0;
    let moved = frame(1, ticket, What::Guest(Guests::Moved));
    assert_eq!(away.heard(now, moved, room), Act::Again(id(1), ROOM.to_owned()));
    assert_eq!(away.home_of(id(1)), None);
    let ticket = away.go(now, id(1), Node(1), ROOM).0;
    away.heard(now, frame(1, ticket, What::Guest(Guests::Hears("you are in"))), room);
    let moved = frame(1, ticket, What::Guest(Guests::Moved));
    assert_eq!(away.heard(now, moved, room), Act::Unknown(id(1)), "that was answered already");
}

#[test]
fn a_guest_without_a_seat_comes_back_and_one_that_is_not_known_is_closed() {
    let (mut away, now) = (book(2), Instant::now());
    for (what, act) in [
        (Guests::Free, Act::Nothing),
        (Guests::Unknown, Act::Unknown(id(1))),
        (Guests::Close(4000, "taken over"), Act::Close(id(1), 4000, "taken over")),
    ] {
        let ticket = away.go(now, id(1), Node(1), ROOM).0;
        assert_eq!(away.heard(now, frame(1, ticket, What::Guest(what)), room), act);
        assert_eq!(away.home_of(id(1)), None);
        let late = frame(1, ticket, What::Guest(Guests::Hears("late")));
        assert_eq!(away.heard(now, late, room), Act::Answer(What::Home(Homes::Lost)));
    }
    away.check();
}

#[test]
fn so_many_guests_and_no_more() {
    let (mut home, now) = (home(), Instant::now());
    for n in 0..10 {
        let enters = frame(3, n, What::Home(Homes::Enters(Origin(7), ROOM)));
        match home.heard(now, enters, room) {
            Act::Arrives(..) if n < 2 => home.admit(Node(3), Ticket(n), id(200 + n)),
            act => assert_eq!(act, Act::Answer(What::Guest(Guests::Unknown))),
        }
    }
    home.check();
    let nonsense = frame(3, 99, What::Home(Homes::Enters(Origin(7), "nonsense")));
    assert_eq!(home.heard(now, nonsense, room), Act::Answer(What::Guest(Guests::Unknown)));
}

#[test]
fn a_node_that_is_gone_takes_its_guests_and_its_rooms_along_and_nothing_else() {
    let (mut home, now) = (home(), Instant::now());
    let two = home.go(now, id(1), Node(2), ROOM);
    home.go(now, id(2), Node(3), ROOM);
    assert_eq!(home.others().into_iter().collect::<Vec<_>>(), [Node(2), Node(3)]);
    let silent = Silent { away: vec![id(1)], guests: vec![id(100)] };
    assert_eq!(home.node_gone(now, Node(2)), silent);
    assert_eq!(home.node_gone(now, Node(2)), Silent::default(), "once");
    assert!(home.is_gone(now, Node(2)) && !home.is_gone(now, Node(3)) && home.home_of(id(2)).is_some());
    let late = frame(2, two.0, What::Guest(Guests::Hears("late")));
    assert_eq!(home.heard(now, late, room), Act::Answer(What::Home(Homes::Lost)));
    (0..1000).for_each(|n| drop(home.node_gone(now, Node(n))));
    home.check();
    assert!(home.is_gone(now + GONE_FOR / 2, Node(2)));
    assert!(!home.is_gone(now + GONE_FOR, Node(2)), "whose key is still there then lives");
    home.node_gone(now + GONE_FOR, Node(9));
    assert_eq!(home.gone.len(), 1, "and it is forgotten");
}

#[test]
fn without_redis_only_rooms_at_home_remain() {
    let (mut home, now) = (home(), Instant::now());
    home.go(now, id(1), Node(2), ROOM);
    assert_eq!(home.disconnected(), Silent { away: vec![id(1)], guests: vec![id(100)] });
    home.check();
    assert!(home.me().is_none() && home.claims.holds(&RoomId::new(ROOM)) && home.others().is_empty());
    assert!(!home.is_settling(now));
    home.connected(now, Node(8), true);
    assert!(home.is_settling(now) && !home.is_settling(now + SETTLING));
}

#[test]
fn a_home_that_says_nothing_for_long_has_forgotten() {
    let (mut away, now) = (book(2), Instant::now());
    let ticket = away.go(now, id(1), Node(1), ROOM).0;
    away.go(now, id(2), Node(1), ROOM);
    let later = now + Duration::from_secs(30);
    let ping = frame(1, ticket, What::Guest(Guests::Ping));
    assert_eq!(away.heard(later, ping, room), Act::Answer(What::Home(Homes::Lives)));
    assert!(away.silent(later).is_empty());
    assert_eq!(away.silent(now + SILENCE), [id(2)]);
    assert_eq!(away.silent(later + SILENCE), [id(1)]);
    away.check();
}

/// Something that happens to three nodes, each of which has one room and two connections.
#[derive(Clone, Copy, Debug)]
enum Step {
    Go(usize, u64, usize),
    Say(usize, u64),
    Leave(usize, u64),
    Deliver(usize, usize),
    Gone(usize, usize),
    Reconnect(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, connection) = (0..3_usize, 0..2_u64);
    prop_oneof![
        3 => (node.clone(), connection.clone(), node.clone()).prop_map(|(a, id, b)| Step::Go(a, id, b)),
        3 => (node.clone(), connection.clone()).prop_map(|(a, id)| Step::Say(a, id)),
        1 => (node.clone(), connection).prop_map(|(a, id)| Step::Leave(a, id)),
        8 => (node.clone(), node.clone()).prop_map(|(a, b)| Step::Deliver(a, b)),
        1 => (node.clone(), node.clone()).prop_map(|(a, b)| Step::Gone(a, b)),
        1 => node.prop_map(Step::Reconnect),
    ]
}

/// Three books, and what is on its way between them under the names of the moment.
struct Three {
    books: Vec<Book>,
    names: Vec<u64>,
    wires: BTreeMap<(u64, u64), VecDeque<Vec<u8>>>,
    next: u64,
}

impl Three {
    fn room(node: usize) -> String {
        format!("{node:032x}")
    }

    fn new() -> Self {
        let mut three = Self { books: Vec::new(), names: vec![1, 2, 3], wires: BTreeMap::new(), next: 1000 };
        for node in 0..3 {
            let mut book = book(three.names[node]);
            book.claims.begin(&RoomId::new(Self::room(node)));
            book.claims.end(&RoomId::new(Self::room(node)), true);
            three.books.push(book);
        }
        three
    }

    fn send(&mut self, from: usize, (to, ticket): Far, what: What<'_>) {
        let bytes = Frame { from: Node(self.names[from]), ticket, what }.write();
        self.wires.entry((self.names[from], to.0)).or_default().push_back(bytes);
    }

    fn deliver(&mut self, from: usize, to: usize, now: Instant) {
        let Some(bytes) = self.wires.get_mut(&(self.names[from], self.names[to])).and_then(VecDeque::pop_front) else {
            return;
        };
        let frame = Frame::read(&bytes).expect("what a node wrote can be read");
        self.next += 1;
        let guest = id(self.next);
        match self.books[to].heard(now, frame, room) {
            Act::Answer(what) => self.send(to, (frame.from, frame.ticket), what),
            Act::Arrives(_, text) => {
                assert_eq!(text, Self::room(to), "it is at home there");
                self.books[to].admit(frame.from, frame.ticket, guest);
                self.send(to, (frame.from, frame.ticket), What::Guest(Guests::Hears("you are in")));
            }
            Act::Says(guest, text) => {
                assert_eq!(self.books[to].node_of(guest), Some((frame.from, frame.ticket)));
                if text == "leave" {
                    self.books[to].dismiss(guest);
                    self.send(to, (frame.from, frame.ticket), What::Guest(Guests::Free));
                }
            }
            Act::Hears(id, _) => {
                assert_eq!(self.books[to].home_of(id), Some((frame.from, frame.ticket)), "from where it is now");
            }
            Act::Nothing | Act::Lives(_) | Act::Closed(_) | Act::Lost(_) => {}
            Act::Close(..) | Act::Unknown(_) | Act::Again(..) => {}
        }
    }

    fn take(&mut self, step: Step, now: Instant) {
        match step {
            Step::Go(a, n, b) => {
                if a != b && self.books[a].home_of(id(n)).is_none() {
                    let home = Node(self.names[b]);
                    let ticket = self.books[a].go(now, id(n), home, &Self::room(b));
                    self.send(a, (home, ticket), What::Home(Homes::Enters(Origin(1), &Self::room(b))));
                }
            }
            Step::Say(a, n) => {
                if let Some(far) = self.books[a].home_of(id(n)) {
                    self.send(a, far, What::Home(Homes::Says("something")));
                }
            }
            Step::Leave(a, n) => {
                if let Some(far) = self.books[a].come_back(id(n)) {
                    self.send(a, far, What::Home(Homes::Says("leave")));
                }
            }
            Step::Deliver(a, b) => self.deliver(a, b, now),
            Step::Gone(a, b) => drop(self.books[a].node_gone(now, Node(self.names[b]))),
            Step::Reconnect(a) => {
                // What was on its way to the old name is lost.
                self.books[a].disconnected();
                self.next += 1;
                self.names[a] = self.next;
                self.books[a].connected(now, Node(self.next), true);
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_books_agree_with_themselves_and_afterwards_with_each_other(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let (mut three, now) = (Three::new(), Instant::now());
        for step in steps {
            three.take(step, now);
            three.books.iter().for_each(Book::check);
        }
        // Everything arrives, those who are gone are noticed, and homes ask for signs of life, as they do all the time.
        for _ in 0..3 {
            let all: Vec<_> = (0..9).map(|n| (n / 3, n % 3)).collect();
            for node in 0..3 {
                let gone: Vec<_> = three.books[node].others().into_iter().filter(|other| !three.names.contains(&other.0)).collect();
                gone.into_iter().for_each(|other| drop(three.books[node].node_gone(now, other)));
                let guests: Vec<_> = three.books[node].guests.values().copied().collect();
                guests.into_iter().for_each(|far| three.send(node, far, What::Guest(Guests::Ping)));
            }
            for (a, b) in all {
                (0..500).for_each(|_| three.deliver(a, b, now));
            }
        }
        // Those who are still believed to be somewhere are known there, or found to be unheard of in the end.
        let later = now + SILENCE;
        for node in 0..3 {
            let guests: Vec<_> = three.books[node].guests.values().copied().collect();
            guests.into_iter().for_each(|far| three.send(node, far, What::Guest(Guests::Ping)));
        }
        for n in 0..9 {
            (0..500).for_each(|_| three.deliver(n / 3, n % 3, later));
        }
        for node in 0..3 {
            three.books[node].silent(later);
        }
        for node in 0..3 {
            three.books[node].check();
            for away in three.books[node].away.values() {
                let home = three.names.iter().position(|name| *name == away.home.0).expect("its home is there");
                let known = three.books[home].seats.contains_key(&(Node(three.names[node]), away.ticket));
                prop_assert!(known, "{:?} is believed to be at home", away.ticket);
            }
        }
    }
}
