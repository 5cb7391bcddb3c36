#!/bin/sh
# The same in a cgroup that was handed down, as by a service with `Delegate=yes`; and what is said where that was not done.
. "$LIB"
. "${LIB%.sh}-limits.sh"
echo "+memory +cpu +pids" >$top/cgroup.subtree_control
mkdir $top/service
suite delegated $top/service
ok "the service is as it was" holds $top/service/cgroup.subtree_control ""

# Others are there too: a shell's scope.
sh -c "echo \$\$ >$top/service/cgroup.procs; exec sleep 100000" &
other=$!
ok "crowded: somebody else is there" until_so grep -q service /proc/$other/cgroup
vassal crowded a.ini "command = sleep 100000"
start $top/service "$work/crowded.log" --emperor "$work/crowded" --memory-max 64M
ok "crowded: it says who" says "$work/crowded.log" "other processes ($other) are in $top/service"
ok "crowded: and nobody is started without the limit" gone $emperor
kill $other
wait $other 2>/dev/null
ok "crowded: the service is as it was" sh -c "! ls -d $top/service/liege-* 2>/dev/null"

# Nothing was handed down: a service below one that keeps its controllers.
mkdir $top/service/below
start $top/service/below "$work/below.log" --emperor "$work/crowded" --memory-max 64M --pids-max 5
ok "below: it says what is missing" says "$work/below.log" "$top/service/below has no controller memory, pids: enable it above"
ok "below: and ends" gone $emperor
rmdir $top/service/below $top/service
finish
