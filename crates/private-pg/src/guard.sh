# Runs a PostgreSQL server and ends it when the command that wanted it is gone.
#
#   sh -c "$(cat guard.sh)" guard PLAN SERVER [ARGUMENT...]
#
# Standard input is a pipe whose other end only that command holds. A line from it is a plan for
# ending the server; end of file means that the command died, and PLAN is followed. A plan is
# pairs of a signal and how many tenths of a second to wait for it to work: "INT 50 QUIT 30".
# Prints the server's process id, and exits with the server.

trap '' INT TERM HUP
plan=$1
shift
exec 3<&0 </dev/null

"$@" 3<&- >&2 &
server=$!
echo "$server"

(
    read -r line <&3 && plan=$line
    set -- $plan
    while [ $# -ge 2 ]; do
        kill -"$1" "$server" 2>/dev/null || exit 0
        tenths=$2
        shift 2
        while [ "$tenths" -gt 0 ] && kill -0 "$server" 2>/dev/null; do
            sleep 0.1
            tenths=$((tenths - 1))
        done
    done
) >/dev/null &
watcher=$!

wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$status"
