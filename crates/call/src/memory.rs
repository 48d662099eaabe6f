//! Keeping the process as small as what it holds.
//!
//! A call's threads come and go, and each allocates. glibc gives every few threads an arena of their own and keeps in
//! each what was freed there, so that after some dozen calls an app that holds 5 MB occupied 170 MB. Other systems'
//! allocators give memory back by themselves; there these functions do nothing.

/// Two arenas serve all threads: what allocates much here (codecs, pictures) does so seldom.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: i32 = 2;

/// Has all threads share few arenas; counts for those that begin afterwards.
pub(crate) fn share_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: `mallopt` may be called at any time; it takes the allocator's own lock.
            let done = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
            tracing::debug!(done, "arenas are shared");
        });
    }
}

/// Gives what is free back to the system: after a call, when much is. Takes some milliseconds, on a helper thread.
pub(crate) async fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let trimmed = tokio::task::spawn_blocking(|| {
            // SAFETY: `malloc_trim` may be called at any time; it touches nothing that is allocated.
            unsafe { libc::malloc_trim(0) }
        });
        let _ = trimmed.await;
    }
}
