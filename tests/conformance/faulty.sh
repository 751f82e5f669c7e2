#!/bin/sh
# A CNI plugin with deliberate faults, to show that the suite finds them. It calls the correct
# plugin in the same folder and changes its output. Its own name ends with its faults:
# faulty-FAULT,FAULT.
faults=${0##*/faulty-}
folder=${0%/*}
correct=$folder/flatland
test -x "$correct" || correct=$folder/flatland-ipam

# is FAULT COMMAND: whether it has this fault and is called for this (or "any") command.
is() {
    case ",$faults," in
        *",$1,"*) test "$2" = any || test "$2" = "$CNI_COMMAND" ;;
        *) false ;;
    esac
}

# Unreadable input goes to the correct plugin.
config=$(cat 2>/dev/null) || exec "$correct"
edit() { config=$(printf '%s' "$config" | sed "$1"); }

# Faults that keep the call, or parts of it, from the correct plugin.
if is check-blind CHECK || is status-blind STATUS || is leaky DEL || is gc-idle GC; then exit 0; fi
if is chain-deaf ADD; then edit 's/,"prevResult":.*}$/}/'; fi
if is gc-greedy GC; then edit 's/valid-attachments":\[[^]]*\]/valid-attachments":[]/'; fi
if is path-deaf any; then CNI_PATH=$folder && export CNI_PATH; fi
if is quiet any; then exec 2>/dev/null; fi

answer=$(printf '%s' "$config" | "$correct")
status=$?
alter() { answer=$(printf '%s' "$answer" | sed "$1"); }

# Faults in the output.
if is half-json VERSION; then alter 's/}$//'; fi
if is no-ips ADD; then alter 's/"ips":\[[^]]*\]/"ips":[]/'; fi
if is no-version ADD && test $status -eq 0; then alter 's/"cniVersion":"[^"]*",//'; fi
if is version-fixed VERSION; then alter 's/"cniVersion":"[^"]*"/"cniVersion":"1.0.0"/'; fi
if is version-made-up VERSION; then alter 's/"1.1.0"\]/"1.1.0","1.2.0"]/'; fi
if is route-made-up ADD; then alter 's/"routes":\[/"routes":[{"dst":"10.200.0.0\/16"},/'; fi
if is masks-own ADD; then alter 's/\("address":"[^"/]*\)\/29"/\1\/32"/'; fi
if is interfaces-too ADD; then alter 's/"ips":/"interfaces":[],"ips":/'; fi
if is code-99 any; then alter 's/"code":[0-9]*/"code":99/'; fi
if is tongue-tied any; then alter 's/"msg":.*}$/"msg":"error"}/'; fi
if is chatty CHECK || is chatty GC; then test $status -ne 0 || answer={}; fi
if is on-stderr any && test $status -ne 0; then echo "$answer" >&2 && answer=; fi
if is exit-zero any; then status=0; fi

# DEL fails for what was not added, or is deleted already.
if is del-once ADD && test $status -eq 0; then : >"/run/added-$CNI_CONTAINERID-$CNI_IFNAME"; fi
if is del-once DEL; then rm "/run/added-$CNI_CONTAINERID-$CNI_IFNAME" 2>/dev/null || status=1; fi

test -z "$answer" || printf '%s\n' "$answer"
exit $status
