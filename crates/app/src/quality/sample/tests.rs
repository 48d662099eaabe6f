use super::*;

const SEEN: Moment = Moment { picture_due: true, sound_only: false, interrupted: false };

fn at(t: f64) -> StatsSnapshot {
    StatsSnapshot { t, ..StatsSnapshot::default() }
}

#[test]
fn rates_are_of_the_time_that_passed() {
    let (before, mut now) = (at(1e12), at(1e12 + 2000.0));
    (now.outbound_video.bytes_sent, now.outbound_audio.bytes_sent) = (450_000, 50_000);
    (now.inbound_video.bytes_received, now.inbound_video.frames_decoded) = (250_000, 60);
    (now.inbound_video.frame_width, now.inbound_video.frame_height) = (640, 360);
    let sample = Sample::between(&before, &now, SEEN).expect("later");
    assert_eq!((sample.sent_kbps, sample.received_kbps), (2000.0, 1000.0));
    assert_eq!(sample.received, Picture { width: 640, height: 360, fps: 30.0 });
    assert_eq!(sample.sent, Picture::default(), "nothing was encoded");
}

#[test]
fn loss_of_ours_is_what_the_other_side_reports_of_each_stream_by_its_packets() {
    let (before, mut now) = (at(0.0), at(1000.0));
    (now.outbound_video.packets_sent, now.outbound_audio.packets_sent) = (150, 50);
    (now.remote_inbound_video.fraction_lost, now.remote_inbound_audio.fraction_lost) = (0.04, 0.08);
    let sample = Sample::between(&before, &now, SEEN).expect("later");
    assert!((sample.lost_out - 0.05).abs() < 1e-6, "{}", sample.lost_out);
    now.remote_inbound_video.fraction_lost = 1e9;
    assert!(Sample::between(&before, &now, SEEN).expect("later").lost_out <= 1.0);
}

#[test]
fn loss_of_theirs_is_what_is_missing_of_all_that_were_sent() {
    let (mut before, mut now) = (at(0.0), at(1000.0));
    (before.inbound_audio.packets_lost, now.inbound_audio.packets_lost) = (10, 15);
    now.inbound_audio.packets_received = 45;
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").lost_in, 0.1);
    now.inbound_audio.packets_lost = 3;
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").lost_in, 0.0, "some came late after all");
}

#[test]
fn a_picture_that_does_not_come_stands_still_unless_none_is_due() {
    let (before, now) = (at(0.0), at(1000.0));
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").frozen, 1.0);
    assert_eq!(Sample::between(&before, &now, Moment::default()).expect("later").frozen, 0.0);
    let mut now = at(1000.0);
    (now.inbound_video.frames_decoded, now.inbound_video.total_freezes_duration) = (20, 0.25);
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").frozen, 0.25);
}

#[test]
fn sound_made_up_in_pauses_is_no_gap() {
    let (before, mut now) = (at(0.0), at(1000.0));
    let audio = &mut now.inbound_audio;
    (audio.total_samples_received, audio.concealed_samples, audio.silent_concealed_samples) = (48_000, 24_000, 21_600);
    assert!((Sample::between(&before, &now, SEEN).expect("later").concealed - 0.05).abs() < 1e-6);
}

#[test]
fn buffers_are_means_of_the_second_and_unknown_where_nothing_came() {
    let (mut before, mut now) = (at(0.0), at(1000.0));
    (before.inbound_audio.jitter_buffer_delay, before.inbound_audio.jitter_buffer_emitted_count) = (7.0, 100);
    (now.inbound_audio.jitter_buffer_delay, now.inbound_audio.jitter_buffer_emitted_count) = (10.0, 150);
    let sample = Sample::between(&before, &now, SEEN).expect("later");
    assert_eq!((sample.sound_buffer_ms, sample.picture_buffer_ms), (Some(60.0), None));
}

#[test]
fn the_way_of_a_picture_is_put_together_from_its_parts() {
    let (before, mut now) = (at(0.0), at(1000.0));
    now.candidate_pair.current_round_trip_time = Some(0.1);
    let video = &mut now.inbound_video;
    (video.frames_decoded, video.jitter_buffer_emitted_count) = (10, 10);
    (video.total_decode_time, video.jitter_buffer_delay) = (0.03, 0.07);
    let delay = |now: &StatsSnapshot| Sample::between(&before, now, SEEN).expect("later").picture_delay_ms;
    assert!((delay(&now).expect("known") - 60.0).abs() < 1e-3);
    now.inbound_video.capture_to_show = Some(0.095);
    assert!((delay(&now).expect("known") - 95.0).abs() < 1e-3, "what their reports tell counts first");
    now.inbound_video.jitter_buffer_emitted_count = 0;
    assert_eq!(delay(&now), None, "no picture came");
}

#[test]
fn the_round_trip_of_the_last_report_counts_before_that_of_ice() {
    let (before, mut now) = (at(0.0), at(1000.0));
    now.candidate_pair.current_round_trip_time = Some(0.1);
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").round_trip_ms, Some(100.0));
    now.remote_inbound_audio.round_trip_time = Some(0.3);
    assert_eq!(Sample::between(&before, &now, SEEN).expect("later").round_trip_ms, Some(300.0));
    let cut = Moment { interrupted: true, ..SEEN };
    assert_eq!(Sample::between(&before, &now, cut).expect("later").round_trip_ms, None);
}

#[test]
fn what_limits_our_picture_is_named_and_unknown_words_are_no_limit() {
    for (word, limit) in
        [("none", Limit::Nothing), ("bandwidth", Limit::Network), ("cpu", Limit::Computer), ("", Limit::Nothing)]
    {
        let (before, mut now) = (at(0.0), at(1000.0));
        now.outbound_video.quality_limitation_reason = word;
        assert_eq!(Sample::between(&before, &now, SEEN).expect("later").limit, limit);
    }
}

#[test]
fn snapshots_in_the_wrong_order_are_no_time() {
    assert_eq!(Sample::between(&at(1000.0), &at(1000.0), SEEN), None);
    assert_eq!(Sample::between(&at(2000.0), &at(1000.0), SEEN), None);
    assert_eq!(Sample::between(&at(f64::NAN), &at(1000.0), SEEN), None);
    let mut before = at(1000.0);
    before.outbound_audio.packets_sent = 7;
    assert_eq!(Sample::between(&before, &at(2000.0), SEEN), None, "another connection counts from zero");
}
