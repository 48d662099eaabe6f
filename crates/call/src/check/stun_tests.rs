use super::*;
use proptest::prelude::*;

const ID: TransactionId = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

pub(in crate::check) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn the_sample_answers_of_rfc_5769_are_read() {
    let v4 = hex(
        "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643 \
         00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96",
    );
    let seen = Some("192.0.2.1:32853".parse().unwrap());
    assert_eq!(read(&v4, Method::Binding, &ID), Some(Answer::Granted { seen, relayed: None }));
    let v6 = hex(
        "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 0002a147 0113a9fa \
         a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c",
    );
    let seen = Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap());
    assert_eq!(read(&v6, Method::Binding, &ID), Some(Answer::Granted { seen, relayed: None }));
}

#[test]
fn an_error_is_read_with_what_to_sign_with() {
    let attributes = [(ERROR_CODE, vec![0, 0, 4, 1]), (REALM, b"here".to_vec()), (NONCE, b"once".to_vec())];
    let refused = answer(Method::Allocate.number() | ERROR, ID, &attributes);
    let (realm, nonce) = (Some(b"here".to_vec()), Some(b"once".to_vec()));
    assert_eq!(read(&refused, Method::Allocate, &ID), Some(Answer::Refused { code: 401, realm, nonce }));
    assert_eq!(read(&refused, Method::Binding, &ID), None, "it answers something else");
    assert_eq!(read(&refused, Method::Allocate, &[0; 12]), None, "it answers somebody else");
}

proptest! {
    #[test]
    fn garbage_is_no_answer_and_does_no_harm(tail in proptest::collection::vec(any::<u8>(), 0..200), honest in any::<bool>()) {
        let mut message = answer(Method::Binding.number() | SUCCESS, ID, &[]);
        message.extend(&tail);
        if honest {
            message[2..4].copy_from_slice(&(tail.len() as u16).to_be_bytes());
        }
        let _ = read(&message, Method::Binding, &ID);
        let _ = read(&tail, Method::Binding, &ID);
    }
}
