# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flatland_policy_global_optspecs
    string join \n h/help V/version
end

function __fish_flatland_policy_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flatland_policy_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flatland_policy_using_subcommand
    set -l cmd (__fish_flatland_policy_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -s h -l help -d 'Print help'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -s V -l version -d 'Print version'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -f -a "run" -d 'Watches the policies and keeps their rules, until SIGTERM or SIGINT'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -f -a "status" -d 'Shows whether the rules are those of the policies, and what needs attention'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -f -a "rules" -d 'Prints the rules of this node\'s pods, as a person would write them'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -f -a "explain" -d 'Says which policies allow or deny a connection between two pods of the cluster'
complete -c flatland-policy -n "__fish_flatland_policy_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand run" -l conflist -d 'The conflist of the cluster\'s network, as routed has it' -r -F
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand run" -l api-server -d 'The API server, if the pod\'s environment does not name it' -r
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand run" -l listen -d 'Where /healthz, /readyz and /metrics are served, or none' -r
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand run" -l log-format -d 'The format of the log on standard error' -r -f -a "text\t'Lines of text'
json\t'One JSON object per line'"
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand status" -s o -l output -d 'How it is printed' -r -f -a "text\t'For people'
json\t'For machines: one JSON object'"
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand status" -l ready -d 'Only whether the rules are those of the policies, and if not, why: for probes'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand rules" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand explain" -l port -d 'The destination port and its protocol' -r
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand explain" -s o -l output -d 'How it is printed' -r -f -a "text\t'For people'
json\t'For machines: one JSON object'"
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand help; and not __fish_seen_subcommand_from run status rules explain help" -f -a "run" -d 'Watches the policies and keeps their rules, until SIGTERM or SIGINT'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand help; and not __fish_seen_subcommand_from run status rules explain help" -f -a "status" -d 'Shows whether the rules are those of the policies, and what needs attention'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand help; and not __fish_seen_subcommand_from run status rules explain help" -f -a "rules" -d 'Prints the rules of this node\'s pods, as a person would write them'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand help; and not __fish_seen_subcommand_from run status rules explain help" -f -a "explain" -d 'Says which policies allow or deny a connection between two pods of the cluster'
complete -c flatland-policy -n "__fish_flatland_policy_using_subcommand help; and not __fish_seen_subcommand_from run status rules explain help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
