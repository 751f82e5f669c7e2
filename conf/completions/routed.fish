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
complete -c routed -n "__fish_routed_needs_command" -f -a "status" -d 'Shows on one screen whether this node works, and if not, why'
complete -c routed -n "__fish_routed_needs_command" -f -a "nodes" -d 'Shows every node: addresses, subnets, and whether it is alive'
complete -c routed -n "__fish_routed_needs_command" -f -a "routes" -d 'Compares the desired routes with those in the kernel'
complete -c routed -n "__fish_routed_needs_command" -f -a "subnets" -d 'Shows which node owns which subnet, and how many are left'
complete -c routed -n "__fish_routed_needs_command" -f -a "addresses" -d 'Shows used, cooling and free addresses of this node, and their pods'
complete -c routed -n "__fish_routed_needs_command" -f -a "doctor" -d 'Checks whether this host can be a node, and says what to change'
complete -c routed -n "__fish_routed_needs_command" -f -a "explain" -d 'Follows a packet from one pod to another, and names the broken link'
complete -c routed -n "__fish_routed_needs_command" -f -a "forget" -d 'Releases the subnets of a node that is gone for good'
complete -c routed -n "__fish_routed_needs_command" -f -a "install" -d 'Installs the CNI plugins on this node, and turns forwarding on'
complete -c routed -n "__fish_routed_needs_command" -f -a "uninstall" -d 'Removes everything that Flatland put on this node'
complete -c routed -n "__fish_routed_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c routed -n "__fish_routed_using_subcommand run" -l conflist -d 'The conflist that configures the network, outside of --cni-dir' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l node-name -d 'This node\'s name' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l node-address -d 'An address by which peers reach this node; several with commas or by repeating it' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l cni-dir -d 'Where the container runtime looks for conflists' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l cni-bin -d 'The folder of the CNI plugins; those that follow ours are asked for their CNI versions' -r -F
complete -c routed -n "__fish_routed_using_subcommand run" -l presence-ttl -d 'How long peers treat this node as present after its routed was killed' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l listen -d 'Where /healthz, /readyz and /metrics are served, or none' -r
complete -c routed -n "__fish_routed_using_subcommand run" -l log-format -d 'The format of the log on standard error' -r -f -a "text\t'Lines of text'
json\t'One JSON object per line'"
complete -c routed -n "__fish_routed_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand status" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand status" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand status" -l ready -d 'Only whether this node can serve pods, and if not, what is missing: for probes'
complete -c routed -n "__fish_routed_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand nodes" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand nodes" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand nodes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand routes" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand routes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand subnets" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand subnets" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand subnets" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand addresses" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand addresses" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand addresses" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand doctor" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand doctor" -l service-cidr -d 'A prefix that the cluster\'s services get their addresses from; several with commas' -r
complete -c routed -n "__fish_routed_using_subcommand doctor" -l node-address -d 'The address by which peers reach this node, as for routed run; several with commas' -r
complete -c routed -n "__fish_routed_using_subcommand doctor" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand doctor" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand explain" -l port -d 'Also whether the network policies allow a connection to this port of the other pod' -r
complete -c routed -n "__fish_routed_using_subcommand explain" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand explain" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand forget" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand forget" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand forget" -l force -d 'Forgets the node although it is present'
complete -c routed -n "__fish_routed_using_subcommand forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand install" -l conflist -d 'The conflist that configures the network' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l from -d 'The folder to copy the plugins from; by default that of this program' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l etcd-files -d 'The folder with the files for etcd that the conflist names (caFile, certFile, keyFile)' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -l host -d 'The folder where the host\'s root is mounted, for --etcd-files' -r -F
complete -c routed -n "__fish_routed_using_subcommand install" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l host -d 'The folder where the host\'s root is mounted, for a container' -r -F
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l cni-dir -d 'Where the container runtime looks for conflists' -r -F
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l cni-bin -d 'Where the container runtime looks for plugins' -r -F
complete -c routed -n "__fish_routed_using_subcommand uninstall" -s o -l output -d 'How it is printed' -r -f -a "table\t'For people'
json\t'For machines: one JSON object'"
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l dry-run -d 'Shows what would be removed, and removes nothing'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l force -d 'Removes everything although pods are attached; they lose the network'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l check -d 'Only whether anything of Flatland is on this node: for probes'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -l wait -d 'Tries again until nothing is left, and then stays, until SIGTERM or SIGINT'
complete -c routed -n "__fish_routed_using_subcommand uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "run" -d 'Runs the daemon until SIGTERM or SIGINT'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "status" -d 'Shows on one screen whether this node works, and if not, why'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "nodes" -d 'Shows every node: addresses, subnets, and whether it is alive'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "routes" -d 'Compares the desired routes with those in the kernel'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "subnets" -d 'Shows which node owns which subnet, and how many are left'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "addresses" -d 'Shows used, cooling and free addresses of this node, and their pods'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "doctor" -d 'Checks whether this host can be a node, and says what to change'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "explain" -d 'Follows a packet from one pod to another, and names the broken link'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "forget" -d 'Releases the subnets of a node that is gone for good'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "install" -d 'Installs the CNI plugins on this node, and turns forwarding on'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "uninstall" -d 'Removes everything that Flatland put on this node'
complete -c routed -n "__fish_routed_using_subcommand help; and not __fish_seen_subcommand_from run status nodes routes subnets addresses doctor explain forget install uninstall help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
