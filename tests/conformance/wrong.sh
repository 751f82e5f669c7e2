#!/bin/sh
# A CNI plugin that is wrong on purpose, to show that the suite sees it: it asks a right one, which
# is in the same folder, and spoils the answer. In which ways is the end of its own name:
# wrong-WAY,WAY.
ways=${0##*/wrong-}
folder=${0%/*}
right=$folder/flatland
test -x "$right" || right=$folder/flatland-ipam

# is WAY COMMAND: whether it is wrong in this way, and is called for this (or "any") command.
is() {
    case ",$ways," in
        *",$1,"*) test "$2" = any || test "$2" = "$CNI_COMMAND" ;;
        *) false ;;
    esac
}

# What cannot be read is left to the right one.
config=$(cat 2>/dev/null) || exec "$right"
edit() { config=$(printf '%s' "$config" | sed "$1"); }

# What the right one is not asked, or not told.
if is check-blind CHECK || is status-blind STATUS || is leaky DEL || is gc-idle GC; then exit 0; fi
if is chain-deaf ADD; then edit 's/,"prevResult":.*}$/}/'; fi
if is gc-greedy GC; then edit 's/valid-attachments":\[[^]]*\]/valid-attachments":[]/'; fi
if is path-deaf any; then CNI_PATH=$folder && export CNI_PATH; fi
if is quiet any; then exec 2>/dev/null; fi

answer=$(printf '%s' "$config" | "$right")
status=$?
spoil() { answer=$(printf '%s' "$answer" | sed "$1"); }

# What the caller is not told.
if is half-json VERSION; then spoil 's/}$//'; fi
if is no-ips ADD; then spoil 's/"ips":\[[^]]*\]/"ips":[]/'; fi
if is no-version ADD && test $status -eq 0; then spoil 's/"cniVersion":"[^"]*",//'; fi
if is version-fixed VERSION; then spoil 's/"cniVersion":"[^"]*"/"cniVersion":"1.0.0"/'; fi
if is version-made-up VERSION; then spoil 's/"1.1.0"\]/"1.1.0","1.2.0"]/'; fi
if is route-made-up ADD; then spoil 's/"routes":\[/"routes":[{"dst":"10.200.0.0\/16"},/'; fi
if is masks-own ADD; then spoil 's/\("address":"[^"/]*\)\/29"/\1\/32"/'; fi
if is interfaces-too ADD; then spoil 's/"ips":/"interfaces":[],"ips":/'; fi
if is code-99 any; then spoil 's/"code":[0-9]*/"code":99/'; fi
if is tongue-tied any; then spoil 's/"msg":.*}$/"msg":"error"}/'; fi
if is chatty CHECK || is chatty GC; then test $status -ne 0 || answer={}; fi
if is on-stderr any && test $status -ne 0; then echo "$answer" >&2 && answer=; fi
if is exit-zero any; then status=0; fi

# DEL fails for what was not added, or is deleted already.
if is del-once ADD && test $status -eq 0; then : >"/run/added-$CNI_CONTAINERID-$CNI_IFNAME"; fi
if is del-once DEL; then rm "/run/added-$CNI_CONTAINERID-$CNI_IFNAME" 2>/dev/null || status=1; fi

test -z "$answer" || printf '%s\n' "$answer"
exit $status
