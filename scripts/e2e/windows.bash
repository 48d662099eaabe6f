# Windows of the app, each on an X server of its own, in a network that is nothing but loopback; to be sourced after
# common.bash.
# shellcheck shell=bash
need Xvfb xdotool ip
built visavis

net=visavis-e2e-$$
ip netns add "$net" 2>/dev/null || skip "needs the right to make a network namespace"
undo+=("ip netns del $net")
ip -n "$net" link set lo up
# The right to make one is the right to enter it; X servers are reached by their sockets in the file system.
isolated() { exec ip netns exec "$net" env LIBGL_ALWAYS_SOFTWARE=1 XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$tmp}" HOME="$tmp" WAYLAND_DISPLAY= "$@"; }

# The size at which a window opens.
width=1100 height=680

# screen NAME: an X server; its display goes to the variable display_NAME.
screen() {
    # Without -noreset the server starts anew whenever its last client leaves, and turns away who comes just then.
    Xvfb -noreset -displayfd 7 -screen 0 ${width}x${height}x24 -nolisten tcp 7>"$tmp/$1.display" >"$tmp/$1-x.log" 2>&1 &
    pids+=($!)
    until_true 10 "an X server" test -s "$tmp/$1.display"
    printf -v "display_$1" ':%s' "$(cat "$tmp/$1.display")"
}

# app NAME OPTIONS…: a window on NAME's screen; its process goes to the variable pid_NAME.
app() {
    local who=$1 display=display_$1
    shift
    (DISPLAY=${!display} isolated "$bin/visavis" --config-dir "$tmp/$who-config" "$@") >"$tmp/$who.out" 2>"$tmp/$who.log" &
    printf -v "pid_$who" '%s' $!
    pids+=($!)
    until_true 20 "$who's window" on "$who" search --onlyvisible --name .
    on "$who" search --onlyvisible --name . windowfocus
}

# on NAME XDOTOOL-WORDS…: hands and keyboard of one of them.
on() {
    local display=display_$1
    shift
    DISPLAY=${!display} xdotool "$@" >>"$tmp/xdotool.log" 2>&1
}

# code_of NAME: whether NAME's app has said its room code.
code_of() { [[ $(head -n 1 "$tmp/$1.out") =~ ^[a-z]+-[a-z]+-[a-z]+-[a-z]+$ ]]; }

# at_home NAME: the blue button "Start a call" is where it is on the first screen.
at_home() {
    local display=display_$1 red green blue
    read -r red green blue < <(DISPLAY=${!display} import -silent -window root -crop 1x1+760+252 -depth 8 rgb:- | od -An -tu1)
    ((blue > 150 && red < 100 && green < 160))
}
