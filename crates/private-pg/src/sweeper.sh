# Removes a throw-away cluster's home when the command that made it is gone.
#
#   sh -c "$(cat sweeper.sh)" sweeper HOME
#
# Standard input is a pipe whose other end only that command holds: end of file means that the
# home isn't needed any more. The guard ends the server; here we only wait for that.

trap '' INT TERM HUP
read -r _

tries=150
while [ "$tries" -gt 0 ] &&
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null; do
    sleep 0.1
    tries=$((tries - 1))
done

# Again and again: a process that is about to notice its server's end may still write.
tries=50
until rm -rf "$1" 2>/dev/null || [ "$tries" -le 0 ]; do
    sleep 0.1
    tries=$((tries - 1))
done
