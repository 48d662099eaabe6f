use super::*;
use crate::check::stun::answer;

const BINDING_SUCCESS: u16 = 0x0101;
const ALLOCATE_SUCCESS: u16 = 0x0103;
const ALLOCATE_ERROR: u16 = 0x0113;
const MAPPED: u16 = 0x0001;
const RELAYED: u16 = 0x0016;
const ERROR_CODE: u16 = 0x0009;
const USERNAME: u16 = 0x0006;

fn server(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 3478).into()
}

fn outside(port: u16) -> SocketAddr {
    ([198, 51, 100, 7], port).into()
}

fn stun(last: u8) -> Target {
    Target { url: format!("stun:192.0.2.{last}"), login: None, address: Ok(server(last)), by_stream: false }
}

fn turn(last: u8) -> Target {
    let login = Login { username: "ada".into(), password: "secret".into() };
    Target { url: format!("turn:192.0.2.{last}"), login: Some(login), address: Ok(server(last)), by_stream: false }
}

fn plain(address: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = address.ip() else { panic!("not here") };
    [&[0, 1], &address.port().to_be_bytes()[..], &ip.octets()].concat()
}

/// The same behind the veil of an answer to this request.
fn veiled(address: SocketAddr) -> Vec<u8> {
    let mask = [0, 0, 0x21, 0x12, 0x21, 0x12, 0xA4, 0x42];
    plain(address).iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn id(request: &[u8]) -> TransactionId {
    request[8..20].try_into().unwrap()
}

fn sent(probe: &mut Probe, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    std::iter::from_fn(|| probe.poll_transmit(now)).collect()
}

/// Each server answers at once and sees us under the address that it is given.
fn answered(targets: Vec<Target>, seen: &[SocketAddr]) -> Probe {
    let now = Instant::now();
    let mut probe = Probe::new(now, targets, false);
    for ((to, request), seen) in sent(&mut probe, now).into_iter().zip(seen) {
        probe.handle(now, to, &answer(BINDING_SUCCESS, id(&request), &[(MAPPED, plain(*seen))]));
    }
    probe
}

fn findings(probe: &Probe) -> Vec<Finding> {
    probe.findings(&[]).servers.into_iter().map(|server| server.finding).collect()
}

#[test]
fn what_a_server_behind_a_stream_sees_says_nothing_about_datagrams() {
    let by_stream = Target { by_stream: true, ..stun(2) };
    let one = answered(vec![stun(1), by_stream], &[outside(4000), outside(4001)]);
    assert_eq!(one.findings(&[]).way, Way::Likely);
}

#[test]
fn what_servers_see_says_how_calls_will_travel() {
    let same = answered(vec![stun(1), stun(2)], &[outside(4000), outside(4000)]);
    assert_eq!(same.findings(&[]).way, Way::Direct);
    assert_eq!(findings(&same), [Finding::Outside(outside(4000), Duration::ZERO), same.questions[1].finding.clone()]);
    let changing = answered(vec![stun(1), stun(2)], &[outside(4000), outside(4001)]);
    assert_eq!(changing.findings(&[]).way, Way::Changing);
    let one = answered(vec![stun(1)], &[outside(4000)]);
    assert_eq!(one.findings(&[]).way, Way::Likely, "others may be shown another address");
    let twice = answered(vec![stun(1), stun(1)], &[outside(4000), outside(4000)]);
    assert_eq!(twice.findings(&[]).way, Way::Likely, "both names lead to the same server");
    assert_eq!(one.findings(&[outside(4000)]).way, Way::Direct, "there is nothing in between");
    let waiting = answered(vec![stun(1), stun(2)], &[outside(4000)]);
    assert_eq!(waiting.findings(&[]).way, Way::Asking);
    assert_eq!(Probe::new(Instant::now(), Vec::new(), false).findings(&[]).way, Way::Unasked);
    assert_eq!(Probe::new(Instant::now(), Vec::new(), true).findings(&[]).way, Way::RelayOnly);
}

#[test]
fn a_request_is_repeated_ever_more_slowly_and_given_up() {
    let begun = Instant::now();
    let mut probe = Probe::new(begun, vec![stun(1)], false);
    let mut moments = Vec::new();
    while let Some(at) = probe.poll_timeout() {
        moments.extend(sent(&mut probe, at).iter().map(|_| (at - begun).as_millis()));
    }
    assert_eq!(moments, [0, 500, 1500, 3500]);
    assert_eq!((findings(&probe), probe.findings(&[]).way), (vec![Finding::NoAnswer], Way::Closed));
}

#[test]
fn an_answer_counts_from_the_server_that_was_asked_and_to_what_was_asked() {
    let now = Instant::now();
    let mut probe = Probe::new(now, vec![stun(1)], false);
    let (to, request) = sent(&mut probe, now).remove(0);
    let granted = |id| answer(BINDING_SUCCESS, id, &[(MAPPED, plain(outside(1)))]);
    probe.handle(now, server(2), &granted(id(&request)));
    probe.handle(now, to, &granted([7; 12]));
    probe.handle(now, to, b"nonsense");
    assert_eq!(findings(&probe), [Finding::Asking]);
    probe.handle(now + Duration::from_millis(30), to, &granted(id(&request)));
    assert_eq!(findings(&probe), [Finding::Outside(outside(1), Duration::from_millis(30))]);
}

/// A TURN server's error, with what to sign with.
fn error(request: &[u8], code: [u8; 2], nonce: &str) -> Vec<u8> {
    let realm = (0x0014, b"here".to_vec());
    let nonce = (0x0015, nonce.as_bytes().to_vec());
    answer(ALLOCATE_ERROR, id(request), &[(ERROR_CODE, vec![0, 0, code[0], code[1]]), realm, nonce])
}

fn is_signed(request: &[u8]) -> bool {
    request.windows(2).any(|two| two == USERNAME.to_be_bytes()) && request.windows(3).any(|three| three == b"ada")
}

#[test]
fn a_relay_is_asked_for_with_user_name_and_password_and_given_back() {
    let now = Instant::now();
    let mut probe = Probe::new(now, vec![turn(1)], true);
    assert_eq!(probe.findings(&[]).way, Way::Asking);
    let (to, request) = sent(&mut probe, now).remove(0);
    assert!(!is_signed(&request));
    probe.handle(now, to, &error(&request, [4, 1], "one"));
    let (to, request) = sent(&mut probe, now).remove(0);
    assert!(is_signed(&request));
    probe.handle(now, to, &error(&request, [4, 38], "two"));
    let (to, request) = sent(&mut probe, now).remove(0);
    let relayed = (RELAYED, veiled(server(9)));
    probe.handle(now, to, &answer(ALLOCATE_SUCCESS, id(&request), &[relayed, (MAPPED, plain(outside(5)))]));
    assert_eq!(findings(&probe), [Finding::Relay(server(9), Duration::ZERO)]);
    assert_eq!(probe.findings(&[]).way, Way::RelayOnly);
    let [(to, last)] = &sent(&mut probe, now)[..] else { panic!("no farewell") };
    assert_eq!((*to, &last[..2]), (server(1), &[0, 4][..]));
    assert!(is_signed(last) && probe.poll_timeout().is_none());
}

#[test]
fn a_wrong_password_is_named_and_no_server_keeps_us_asking() {
    let now = Instant::now();
    let mut probe = Probe::new(now, vec![turn(1), turn(2), stun(3)], false);
    for (round, expected) in [(0, 3), (1, 2), (2, 1), (3, 0)] {
        let requests = sent(&mut probe, now);
        assert_eq!(requests.len(), expected, "round {round}");
        for (to, request) in requests {
            let code = if to == server(1) || round == 0 { [4, 1] } else { [4, 38] };
            probe.handle(now, to, &error(&request, code, "again"));
            let refused = answer(0x0111, id(&request), &[(ERROR_CODE, vec![0, 0, 4, 0])]);
            probe.handle(now, to, &refused);
        }
    }
    assert_eq!(findings(&probe), [Finding::WrongPassword, Finding::Refused(438), Finding::Refused(400)]);
}

#[test]
fn addresses_and_passwords_stay_out_of_logs() {
    let said = format!("{:?} {:?}", answered(vec![stun(1)], &[outside(4000)]).findings(&[]), turn(1).login);
    assert!(!said.contains("198.51.100") && !said.contains("secret"), "{said}");
}
