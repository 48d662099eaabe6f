//! Icons as a few strokes each, drawn in whatever size and colour the place wants; no icon font.

mod pen;

use egui::{Color32, Painter, Rect};
use pen::Pen;
use std::f32::consts::PI;

/// A picture that stands for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Microphone on.
    Microphone,
    /// Microphone off.
    MicrophoneOff,
    /// Camera on.
    Camera,
    /// Camera off.
    CameraOff,
    /// A handset being put down.
    HangUp,
    /// A handset.
    Phone,
    /// Settings.
    Gear,
    /// Sliders: devices.
    Devices,
    /// Copy to the clipboard.
    Copy,
    /// A link.
    Link,
    /// Messages.
    Chat,
    /// Loudspeaker.
    Speaker,
    /// Fill the screen.
    FullScreen,
    /// Back into a window.
    Window,
    /// Something is protected.
    Shield,
    /// Something needs attention.
    Warning,
    /// Done, right.
    Check,
    /// Close, dismiss.
    Close,
    /// Send a message.
    Send,
    /// Somebody.
    Person,
    /// The local network.
    Network,
    /// A server somewhere.
    Globe,
    /// Figures over time.
    Curve,
    /// Back to where one came from.
    Back,
    /// A house: a room of one's own.
    House,
    /// Again.
    Again,
    /// Headphones.
    Headset,
}

impl Icon {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Microphone,
        Self::MicrophoneOff,
        Self::Camera,
        Self::CameraOff,
        Self::HangUp,
        Self::Phone,
        Self::Gear,
        Self::Devices,
        Self::Copy,
        Self::Link,
        Self::Chat,
        Self::Speaker,
        Self::FullScreen,
        Self::Window,
        Self::Shield,
        Self::Warning,
        Self::Check,
        Self::Close,
        Self::Send,
        Self::Person,
        Self::Network,
        Self::Globe,
        Self::Curve,
        Self::Back,
        Self::House,
        Self::Again,
        Self::Headset,
    ];

    /// Draws into the largest square in the middle of `rect`.
    pub fn paint(self, painter: &Painter, rect: Rect, colour: Color32) {
        let pen = Pen::new(painter, rect, colour);
        match self {
            Self::Microphone => pen.microphone(),
            Self::MicrophoneOff => {
                pen.microphone();
                pen.line(&[(3.5, 2.5), (20.5, 21.5)]);
            }
            Self::Camera => pen.camera(),
            Self::CameraOff => {
                pen.camera();
                pen.line(&[(3.5, 2.5), (20.5, 21.5)]);
            }
            Self::HangUp => pen.handset(0.0),
            Self::Phone => pen.handset(-0.72 * PI),
            Self::Gear => {
                pen.circle((12.0, 12.0), 3.0);
                pen.circle((12.0, 12.0), 7.0);
                for tooth in 0..8 {
                    let (sin, cos) = (PI * tooth as f32 / 4.0).sin_cos();
                    pen.line(&[(12.0 + 7.5 * cos, 12.0 + 7.5 * sin), (12.0 + 9.8 * cos, 12.0 + 9.8 * sin)]);
                }
            }
            Self::Devices => {
                for (y, knob) in [(5.0, 15.5), (12.0, 8.0), (19.0, 13.5)] {
                    pen.line(&[(2.5, y), (knob - 2.2, y)]);
                    pen.line(&[(knob + 2.2, y), (21.5, y)]);
                    pen.circle((knob, y), 2.2);
                }
            }
            Self::Copy => {
                pen.frame((8.5, 8.5), (21.0, 21.0), 2.5);
                pen.line(&[(5.5, 15.5), (3.5, 15.0), (3.0, 13.5), (3.0, 5.0), (3.6, 3.6), (5.0, 3.0), (13.5, 3.0)]);
                pen.line(&[(13.5, 3.0), (15.0, 3.5), (15.5, 5.5)]);
            }
            Self::Link => {
                pen.line(&[(10.0, 7.5), (7.5, 7.5)]);
                pen.arc((7.5, 12.0), 4.5, 0.5 * PI, 1.5 * PI);
                pen.line(&[(7.5, 16.5), (10.0, 16.5)]);
                pen.line(&[(14.0, 7.5), (16.5, 7.5)]);
                pen.arc((16.5, 12.0), 4.5, -0.5 * PI, 0.5 * PI);
                pen.line(&[(16.5, 16.5), (14.0, 16.5)]);
                pen.line(&[(8.5, 12.0), (15.5, 12.0)]);
            }
            Self::Chat => {
                pen.line(&[(8.0, 17.5), (5.5, 21.5), (5.5, 17.3)]);
                pen.frame((2.5, 3.5), (21.5, 17.5), 3.5);
            }
            Self::Speaker => {
                pen.outline(&[(3.0, 9.3), (6.5, 9.3), (11.5, 5.0), (11.5, 19.0), (6.5, 14.7), (3.0, 14.7)]);
                pen.arc((12.0, 12.0), 4.0, -0.27 * PI, 0.27 * PI);
                pen.arc((12.0, 12.0), 8.0, -0.27 * PI, 0.27 * PI);
            }
            Self::FullScreen => {
                for (x, y) in [(4.0, 4.0), (20.0, 4.0), (4.0, 20.0), (20.0, 20.0)] {
                    let (in_x, in_y) = (x + (12.0 - x) * 0.6, y + (12.0 - y) * 0.6);
                    pen.line(&[(in_x, y), (x, y), (x, in_y)]);
                }
            }
            Self::Window => {
                for (x, y) in [(9.0, 9.0), (15.0, 9.0), (9.0, 15.0), (15.0, 15.0)] {
                    let (out_x, out_y) = (x + (x - 12.0) * 1.7, y + (y - 12.0) * 1.7);
                    pen.line(&[(out_x, y), (x, y), (x, out_y)]);
                }
            }
            Self::Shield => {
                pen.line(&[(20.0, 11.5), (20.0, 5.5), (12.0, 2.5), (4.0, 5.5), (4.0, 11.5)]);
                pen.curve([(20.0, 11.5), (20.0, 16.5), (16.5, 19.8), (12.0, 21.5)]);
                pen.curve([(4.0, 11.5), (4.0, 16.5), (7.5, 19.8), (12.0, 21.5)]);
                pen.line(&[(8.3, 11.8), (11.2, 14.7), (16.0, 9.0)]);
            }
            Self::Warning => {
                pen.outline(&[(12.0, 3.5), (22.0, 20.5), (2.0, 20.5)]);
                pen.line(&[(12.0, 10.0), (12.0, 14.5)]);
                pen.dot((12.0, 17.5), 1.2);
            }
            Self::Check => pen.line(&[(4.0, 12.5), (9.5, 18.0), (20.0, 6.5)]),
            Self::Close => {
                pen.line(&[(5.5, 5.5), (18.5, 18.5)]);
                pen.line(&[(18.5, 5.5), (5.5, 18.5)]);
            }
            Self::Send => {
                pen.outline(&[(2.5, 10.5), (21.5, 2.5), (13.5, 21.5), (10.5, 13.5)]);
                pen.line(&[(21.5, 2.5), (10.5, 13.5)]);
            }
            Self::Person => {
                pen.circle((12.0, 8.0), 4.2);
                pen.curve([(3.8, 21.0), (4.2, 14.0), (19.8, 14.0), (20.2, 21.0)]);
            }
            Self::Network => {
                pen.dot((12.0, 18.5), 1.6);
                for radius in [5.0, 9.5, 14.0] {
                    pen.arc((12.0, 18.5), radius, -0.75 * PI, -0.25 * PI);
                }
            }
            Self::Globe => {
                pen.circle((12.0, 12.0), 9.0);
                pen.line(&[(3.0, 12.0), (21.0, 12.0)]);
                for side in [-1.0, 1.0] {
                    let x = 12.0 + side * 5.6;
                    pen.curve([(12.0, 3.0), (x, 7.5), (x, 16.5), (12.0, 21.0)]);
                }
            }
            Self::Curve => {
                pen.line(&[(3.5, 3.0), (3.5, 20.5), (21.0, 20.5)]);
                pen.line(&[(7.0, 16.0), (11.0, 10.0), (14.5, 13.0), (20.0, 5.5)]);
            }
            Self::Back => {
                pen.line(&[(20.0, 12.0), (4.5, 12.0)]);
                pen.line(&[(11.0, 5.0), (4.0, 12.0), (11.0, 19.0)]);
            }
            Self::House => {
                pen.line(&[(3.0, 11.5), (12.0, 4.0), (21.0, 11.5)]);
                pen.line(&[(5.5, 10.0), (5.5, 20.0), (18.5, 20.0), (18.5, 10.0)]);
                pen.line(&[(10.0, 20.0), (10.0, 14.5), (14.0, 14.5), (14.0, 20.0)]);
            }
            Self::Again => {
                pen.arc((12.0, 12.5), 8.0, -0.1 * PI, 1.62 * PI);
                pen.line(&[(20.2, 4.0), (20.0, 9.8), (14.4, 9.6)]);
            }
            Self::Headset => {
                pen.arc((12.0, 12.5), 8.8, -PI, 0.0);
                pen.frame((3.2, 12.5), (7.2, 20.0), 1.6);
                pen.frame((16.8, 12.5), (20.8, 20.0), 1.6);
            }
        }
    }
}
