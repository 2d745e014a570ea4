# Completion of raftfs(1) for bash: commands, options, nodes, paths of the tree.

_raftfs_target() {
	# The options before the command that name a cluster.
	local i
	target=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | -d | -c)
			target=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
			i=$((i + 1))
			;;
		-t) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			verb=${COMP_WORDS[i + 1]:-}
			((i + 1 < COMP_CWORD)) || verb=
			return
			;;
		esac
	done
}

# Names below the directory that has been typed so far.
_raftfs_paths() {
	local dir=${cur%/*} name
	[[ $cur == */* ]] || dir=
	while IFS= read -r name; do
		[[ $dir/$name == "${cur}"* || $name == "${cur}"* ]] || continue
		if [[ $cur == */* ]]; then
			COMPREPLY+=("$dir/$name")
		else
			COMPREPLY+=("/$name")
		fi
	done < <(raftfs -t 1 "${target[@]}" ls -a "${dir:-/}" 2>/dev/null)
	compopt -o nospace 2>/dev/null
}

_raftfs() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' verb='' target=()
	local commands='put get cat ls stat mkdir rm mv cp ln df status clock
		members leader log metrics keygen cluster config'

	COMPREPLY=()
	_raftfs_target
	case $prev in
	-s | -c | -d | --dir | --svg | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	case $command in
	'')
		mapfile -t COMPREPLY < <(compgen -W \
			"-s -d -c -t --json --help $commands" -- "$cur")
		;;
	put | get)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		_raftfs_paths
		;;
	cat | ls | stat | mkdir | rm | mv | cp | ln)
		_raftfs_paths
		;;
	keygen)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	config)
		mapfile -t COMPREPLY < <(compgen -W 'check show' -- "$cur")
		[[ -z $verb ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	status)
		mapfile -t COMPREPLY < <(compgen -W 'raft --json' -- "$cur")
		;;
	leader)
		mapfile -t COMPREPLY < <(compgen -W 'transfer --json' -- "$cur")
		;;
	members)
		mapfile -t COMPREPLY < <(compgen -W 'add remove replace promote
			update --config --id --address --raft-port
			--storage-port --time-port --key --learner --no-wait
			--timeout --json' -- "$cur")
		;;
	clock)
		mapfile -t COMPREPLY < <(compgen -W 'tracking sources
			sourcestats selectdata wait history plot --json --watch
			--bound --timeout --svg' -- "$cur")
		;;
	log)
		mapfile -t COMPREPLY < <(compgen -W '--since --until --follow
			--json' -- "$cur")
		;;
	cluster)
		mapfile -t COMPREPLY < <(compgen -W 'up down status kill pause
			resume restart add remove --dir --nodes --base-port
			n1 n2 n3' -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W '--json' -- "$cur")
		;;
	esac
}

complete -F _raftfs raftfs
