//! Every screen and every control, found by its accessible name: what is tested here can be reached by everybody.

mod bench;
mod call;
mod home;
mod layout;
mod rooms;
mod settings;
