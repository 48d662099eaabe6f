//! What microphones and loudspeakers share: conversion at the device's edge, and the system's sound host.

pub(crate) mod connection;
pub(crate) mod default_microphone;
pub(crate) mod fade;
pub(crate) mod fault;
pub(crate) mod hardware;
pub(crate) mod host;
#[cfg(test)]
pub(crate) mod measure;
mod preference;
pub(crate) mod resample;
pub(crate) mod signal;
pub(crate) mod timeline;
pub(crate) mod true_rate;
pub(crate) mod wav;
