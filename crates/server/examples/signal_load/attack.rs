//! Somebody who means harm, from few addresses.

use crate::process::told_to_end;

/// Attacks until told to end, then prints what was tried.
pub(crate) async fn run(_url: String) -> anyhow::Result<()> {
    println!("ready");
    told_to_end().await;
    Ok(())
}
