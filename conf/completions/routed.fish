# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_routed_global_optspecs
    string join \n h/help V/version
end

function __fish_routed_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_routed_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_routed_using_subcommand
    set -l cmd (__fish_routed_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c routed -n "__fish_routed_needs_command" -s h -l help -d 'Print help'
complete -c routed -n "__fish_routed_needs_command" -s V -l version -d 'Print version'
complete -c routed -n "__fish_routed_needs_command" -f -a "run" -d 'Runs the daemon until SIGTERM or SIGINT'
complete -c routed -n "__fish_routed_needs_command" -f -a "status" -d 'Says on one screen whether all is well on this node, and if not why'
complete -c routed -n "__fish_routed_needs_command" -f -a "doctor" -d 'Examines whether this host can be a node, or why it is not a good one'
complete -c routed -n "__fish_routed_needs_command" -f -a "explain" -d 'Walks the way of a packet between two pods, and names the link that is broken'
complete -c routed -n "__fish_routed_needs_command" -f -a "nodes" -d 'Shows every node: its addresses, whether its routed is alive, its subnets, and what becomes of them here'
complete -c routed -n "__fish_routed_needs_command" -f -a "routes" -d 'Shows the routes that should be in the kernel against those that are'
complete -c routed -n "__fish_routed_needs_command" -f -a "forget" -d 'Releases all that a node owns: it is gone for good'
complete -c routed -n "__fish_routed_needs_command" -f -a "subnets" -d 'Shows which node owns which subnet, and how many are left'
complete -c routed -n "__fish_routed_needs_command" -f -a "addresses" -d 'Shows how many addresses of this node\'s subnets are used, cooling and free, and who holds them'
complete -c routed -n "__fish_routed_needs_command" -f -a "install" -d 'Puts the plugins where the container runtime looks for them, and lets the node forward'
complete -c routed -n "__fish_routed_needs_command" -f -a "uninstall" -d 'Removes all that Flatland put on this node, and shows that nothing is left'
complete -c routed -n "__fish_routed_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c routed -n "__fish_routed_using_subcommand run" -l conflist -d 'The conflist that configures the network, outside of --cni-dir' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l node-name -d 'This node\'s name' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l node-address -d 'An address by which peers reach this node; several with commas or by repeating it' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l cni-dir -d 'Where the container runtime looks for conflists' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l cni-bin -d 'Where the plugins are: those that come after ours are asked what they know' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l presence-ttl -d 'How long peers take this node for present after its routed was killed' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l listen -d 'Where /healthz, /readyz and /metrics are served, or none' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l log-format -d 'How the log on standard error is written' -r -f -a "text\t'A line for people'
json\t'A JSON object per line, for machines'"
complete -c routed -n "__fish_routed_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand status" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand status" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand doctor" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand doctor" -l service-cidr -d 'A prefix that the cluster\'s services get their addresses from; several with commas' -r
complete -c routed -n "__fish_routed_using_subcommand doctor" -l node-address -d 'The address by which peers reach this node, as for routed run; several with commas' -r
complete -c routed -n "__fish_routed_using_subcommand doctor" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand doctor" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand explain" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand explain" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand nodes" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand nodes" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand nodes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand routes" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand routes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand forget" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand forget" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand forget" -l force -d 'Forgets the node although it is present'
complete -c routed -n "__fish_routed_using_subcommand forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand subnets" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand subnets" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand subnets" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand addresses" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand addresses" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand addresses" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand install" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l from -d 'Where the plugins are that are to be installed; by default the folder of this program' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l etcd-files -d 'Where the files for etcd are that the conflist names (caFile, certFile, keyFile)' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l host -d 'Where the host\'s files are, for those that --etcd-files has' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l cni-dir -d 'Where the container runtime looks for conflists' -r -F
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand uninstall" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l dry-run -d 'Shows what would be removed, and removes nothing'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l force -d 'Removes all although pods are attached; they have no network then'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "run" -d 'Runs the daemon until SIGTERM or SIGINT'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "status" -d 'Says on one screen whether all is well on this node, and if not why'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "doctor" -d 'Examines whether this host can be a node, or why it is not a good one'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "explain" -d 'Walks the way of a packet between two pods, and names the link that is broken'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "nodes" -d 'Shows every node: its addresses, whether its routed is alive, its subnets, and what becomes of them here'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "routes" -d 'Shows the routes that should be in the kernel against those that are'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "forget" -d 'Releases all that a node owns: it is gone for good'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "subnets" -d 'Shows which node owns which subnet, and how many are left'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "addresses" -d 'Shows how many addresses of this node\'s subnets are used, cooling and free, and who holds them'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "install" -d 'Puts the plugins where the container runtime looks for them, and lets the node forward'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "uninstall" -d 'Removes all that Flatland put on this node, and shows that nothing is left'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status doctor explain nodes routes forget subnets addresses install uninstall help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
