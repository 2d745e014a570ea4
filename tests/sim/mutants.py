#!/usr/bin/env python3
"""Each rule is load-bearing: delete it, and the simulator must notice.

    B=build CC=gcc python3 tests/sim/mutants.py [--find | NAME...]

A mutant is a copy of one file with one rule taken out. It is linked with the
simulator and run on more and more seeds until one is violated; two mutants at
a time, each for LIMIT_S at most. Some are asked otherwise (ASKED): in a
schedule made for them, with the checks left out that look at the rule itself,
so that only its consequences count; or, where a rule keeps the peace rather
than the data (pre-vote, check-quorum) or has a second margin behind it, by the
story or unit test that must fail. A mutant that survives, or whose rule is no
longer found in the source (--find looks for that alone), has failed. White
space in the patterns stands for any white space.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import time

B = os.environ.get('B', 'build')
CC = os.environ.get('CC', 'gcc')
BATCHES = ((1, 10), (11, 30), (41, 60), (101, 100))
LIMIT_S = 300

MUTANTS = {
    # Leases (LeaseGuard): 2-consensus rules by their names.
    'c1': ('raftd/core/replicate.c',
           'if (commit_lease_settled(raft)) raft_set_commit',
           'raft_set_commit'),
    'r1': ('raftd/core/lease.c',
           'units_add_sat(created_raw_ns, duration_ns - 1)',
           'units_add_sat(created_raw_ns, duration_ns * 2)'),
    'r2': ('raftd/core/reads.c',
           'raft->limbo_last_command <= raft->commit_index)',
           'raft->limbo_last_command != UINT64_MAX)'),
    'r2-key': ('tests/sim/storage.c',
               '(set->keys >> key & 1) == 0', 'true'),
    'r2-set': ('tests/sim/storage.c',
               'return set->term == node->page.term && '
               'set->limbo_index == node->page.limbo_index &&', 'return'),
    'rho': ('raftd/core/lease.c',
            'units_add_sat(ns, 2 * lease_skew_ns(clock, ns))',
            'units_add_sat(ns, 0 * lease_skew_ns(clock, ns))'),
    'f1-quorum': ('raftd/core/reads.c',
                  'raft->reads[count].round <= confirmed',
                  'confirmed + 1 > 0'),
    'f1-round': ('raftd/core/reads.c',
                 'read->round = raft->round + 1;',
                 'read->round = raft->round;'),
    'f1-own-term': ('raftd/core/reads.c',
                    'if (!reads_own_term_committed(raft)) return; for',
                    'for'),
    'i4-from-low': ('raftd/core/timestamp.c',
                    'old.high_ns > opened.ts_ns) opened.ts_ns = old.high_ns',
                    'old.low_ns > opened.ts_ns) opened.ts_ns = old.low_ns'),
    'i6': ('raftd/core/lease.c',
           'units_add_sat(entry->received_raw_ns, needed_ns)',
           'units_add_sat(entry->received_raw_ns, duration_ns / 2)'),
    'i7-leads-on': ('raftd/core/raft.c',
                    'transfer_at_once(raft); become_follower(raft, '
                    'raft->term, RAFT_NOBODY); } lease_clock_forget',
                    '} lease_clock_forget'),
    'i7-ages': ('raftd/core/raft.c',
                'raft->log.received_floor_raw_ns = now->raw_ns;', ''),
    'i7-readings': ('raftd/core/raft.c',
                    'lease_clock_forget(&raft->clock);', ''),
    'younger-margin': ('raftd/core/lease.c',
                       'left_ns -= lease_skew_ns(clock, left_ns) + 1;', ''),
    'i3-record': ('raftd/core/election.c', '.old = old,',
                  '.old = { old.high_ns, old.high_ns },'),
    'i4-rises': ('raftd/core/timestamp.c',
                 'ts_ns > last.ts_ns ? ts_ns : last.ts_ns + 1', 'ts_ns'),
    'i4-cold-own': ('raftd/core/election.c',
                    'raft->votes_cold = !raft->met_leader;',
                    'raft->votes_cold = true;'),
    'i4-cold-votes': ('raftd/core/request_vote.c',
                      'if (!m->vote_reply.cold) raft->votes_cold = false;',
                      ''),
    'i5-older': ('raftd/core/lease.c',
                 'now.low_ns - entry->stamp.ts_ns',
                 'now.high_ns - entry->stamp.ts_ns'),
    'i5-younger': ('raftd/core/lease.c',
                   'now.high_ns - entry->stamp.ts_ns',
                   'now.low_ns - entry->stamp.ts_ns'),
    'i9-stamp': ('raftd/core/install_snapshot.c',
                 '.stamp = log_stamp_at(&raft->log, index),', ''),
    'i10-still-reads': ('raftd/core/reads.c',
                        'raft->commit_index > raft->relinquished_index; }',
                        'raft->commit_index > 0; }'),
    'i10-not-its-own': ('raftd/core/timeout_now.c',
                        'raft->commit_index < raft->term_first_index ||', ''),
    'i10-not-last': ('raftd/core/replicate.c',
                     'log_at(&raft->log, last); return entry &&',
                     'log_at(&raft->log, last > 1 ? last - 1 : last); '
                     'return entry &&'),
    'i11-other-death': ('raftd/core/replicate.c',
                        'raft->peers[i].died_term == term',
                        'raft->peers[i].died_term > 0'),
    'i11-other-leader': ('raftd/core/replicate.c',
                         'raft->peers[i].led_term == term &&', ''),
    'k': ('raftd/core/replicate.c',
          'if (log_term_at(&raft->log, raft->commit_index) != term) '
          'return false;', ''),
    'p': ('raftd/core/replicate.c',
          'return raft->term == term + 1 || raft->votes_support <= term;',
          'return true;'),
    'p-not-told': ('raftd/core/request_vote.c',
                   'reply->vote_reply.supported_term = raft->support_before;',
                   ''),
    'p-forgotten': ('raftd/core/raft.c',
                    'raft->supported_term = restart->supported_term;', ''),
    'e1': ('raftd/core/reads.c',
           'if (duration_ns == 0 || !raft->now.usable || '
           'raft->transfer_to != RAFT_NOBODY || '
           '!reads_own_term_committed(raft) || commit !=',
           'if (commit == commit || commit !='),
    # The lease setting, and what a snapshot says of leases.
    'i8-own-d': ('raftd/core/reads.c',
                 'int64_t duration_ns = setting_at(raft, commit).duration_ns;',
                 'int64_t duration_ns = raft->lease_wanted_ns;'),
    'i8-own-d-waits': ('raftd/core/setting.c',
                       'log_stamp_at(&raft->log, last), '
                       'lease->duration_ns);',
                       'log_stamp_at(&raft->log, last), '
                       'raft->lease_wanted_ns);'),
    'i8-last-only': ('raftd/core/setting.c',
                     'return present_ns > past_ns ? present_ns : past_ns;',
                     'return present_ns;'),
    'i8-past-forgotten': ('raftd/core/setting.c',
                          'longest_ns = lease->past_ns;', 'longest_ns = 0;'),
    'i8-off-at-once': ('raftd/core/setting.c',
                       'if (lease->duration_ns > longest_ns &&',
                       'if (raft->lease_wanted_ns > 0 && '
                       'lease->duration_ns > longest_ns &&'),
    'i8-not-undone': ('raftd/core/append_entries.c',
                      'setting_truncated(raft);', ''),
    'i8-one-at-a-time': ('raftd/core/setting.c',
                         'raft->commit_index < raft->window.lease.index ||',
                         ''),
    'i9-setting': ('raftd/core/install_snapshot.c',
                   'setting_rebased(raft, window);', ''),
    'i9-compacted': ('raftd/core/install_snapshot.c',
                     'setting_compacted(raft, index);', ''),
    'i9-records': ('raftd/core/lease.c',
                   'return convert(clock, record, time);',
                   'return record->old;'),
    # Raft.
    'ack-before-durable': ('raftd/core/append_entries.c',
                           'min_u64(raft->durable_index, '
                           'raft->verified_index)',
                           'raft->verified_index'),
    'count-before-durable': ('raftd/core/replicate.c',
                             'match[raft->self_position] = '
                             'raft->durable_index;',
                             'match[raft->self_position] = '
                             'log_last_index(&raft->log);'),
    'vote-not-durable': ('raftd/core/request_vote.c',
                         'raft->hard_state_changed = true;', ''),
    'vote-forgotten': ('raftd/core/raft.c',
                       '.voted_for = raft->voted_for, .supported_term =',
                       '.voted_for = RAFT_NOBODY, .supported_term ='),
    'term-not-durable': ('raftd/core/election.c',
                         'raft->voted_for = RAFT_NOBODY; '
                         'raft->hard_state_changed = true;',
                         'raft->voted_for = RAFT_NOBODY;'),
    'vote-any-log': ('raftd/core/request_vote.c',
                     'return m->vote.last_index >= '
                     'log_last_index(&raft->log);',
                     'return true;'),
    'vote-twice': ('raftd/core/request_vote.c',
                   'raft->voted_for != m->from) return false;',
                   'raft->voted_for == m->to + 100) return false;'),
    'commit-old-term': ('raftd/core/replicate.c',
                        '|| log_term_at(&raft->log, reached) != raft->term)',
                        ')'),
    'truncate-keeps-durable': ('raftd/core/append_entries.c',
                               'raft->durable_index = '
                               'min_u64(raft->durable_index, from - 1);', ''),
    'commit-beyond-agreed': ('raftd/core/append_entries.c',
                             'min_u64(m->append.commit_index, last)',
                             'min_u64(m->append.commit_index, '
                             'log_last_index(&raft->log))'),
    'conflict-kept': ('raftd/core/append_entries.c',
                      'log_term_at(&raft->log, e->index) == e->term)',
                      'e->term > 0)'),
    'previous-unchecked': ('raftd/core/append_entries.c',
                           'log_term_at(&raft->log, previous) != '
                           'm->append.previous_term',
                           'm->append.previous_term == UINT64_MAX'),
    'agreed-kept': ('raftd/core/election.c',
                    'raft->verified_index = raft->commit_index;', ''),
    'prevote-any-log': ('raftd/core/request_vote.c',
                        'granted = granted && !election_hears_leader(raft)',
                        'granted = !election_hears_leader(raft)'),
    'prevote-beside-a-leader': ('raftd/core/request_vote.c',
                                'granted = granted && '
                                '!election_hears_leader(raft) &&',
                                'granted = granted &&'),
    'check-quorum': ('raftd/core/election.c',
                     'if (members_is_alone(&raft->members, '
                     'raft->config.self)) return RAFT_NEVER; for',
                     'return RAFT_NEVER; for'),
    # A leader of no use.
    'unfit-successor': ('raftd/core/fitness.c',
                        '(peer->condition & RAFT_UNFIT_HOST) == 0 &&', ''),
    'unfit-again': ('raftd/core/fitness.c',
                    '|| raft->now.raw_ns < fitness->again_raw_ns)', ')'),
    'unfit-all-slow': ('raftd/core/fitness.c',
                       'ours_ns > FITNESS_DISK_FACTOR * theirs_ns;',
                       'theirs_ns >= 0;'),
    'unfit-one-contradicts': ('raftd/core/fitness.c',
                              'return members_is_quorum(&raft->members, bits);',
                              'return bits != 0;'),
    'unfit-no-clock': ('raftd/core/fitness.c',
                       'if (!has_clock(raft, best)) '
                       'reasons &= ~RAFT_UNFIT_CLOCK;', ''),
    'unfit-unreported': ('raftd/core/append_entries.c',
                         'reply->append_reply.condition = '
                         'fitness_condition(raft);', ''),
    'detector-accident': ('common/latency.c',
                          'if (rank == latency->count && rank > 0) rank--;',
                          ''),
    # A damaged log.
    'repair-votes': ('raftd/core/repair.c',
                     'return !repair_is_active(raft) || '
                     'repair_reaches(&raft->floor, last_index, last_term);',
                     'return true;'),
    'repair-stands': ('raftd/core/election.c',
                      'repair_is_active(raft)', 'false'),
    'repair-done-early': ('raftd/core/repair.c',
                          'if (!repair_is_done(raft)) return;', ''),
    'repair-not-told': ('raftd/core/repair.c',
                        'reply->append_reply.lost = true;', ''),
    'repair-not-heard': ('raftd/core/repair.c',
                         'progress->match_index = '
                         'reply->append_reply.lost_after;', ''),
    'repair-cut-first': ('raftd/mend.c',
                         'err = hardstate_write(file, state); '
                         'if (err == RFS_ERR_OK) err = wal_mend(wal);',
                         'err = wal_mend(wal); if (err == RFS_ERR_OK) '
                         'err = hardstate_write(file, state);'),
    'torn-tail': ('raftd/wal_open.c',
                  'if (reading->end.offset < wal->marked)',
                  'if (reading->end.offset < WAL_DATA_OFFSET)'),
    # The clock's bound.
    'bound-does-not-grow': ('timesyncd/core/bound.c',
                            'clock->growth_ppb = (uint32_t)(rho_ppb + '
                            'llabs(clock->drift_ppb));',
                            'clock->growth_ppb = 1;'),
    'samples-do-not-age': ('timesyncd/core/exchange.c',
                           'units_scale_ppb(age_ns, rho_ppb) + 1', '1'),
    'server-bound-dropped': ('timesyncd/core/peer.c',
                             'clock->bound_ns + units_scale_ppb(age_ns, '
                             'clock->growth_ppb)',
                             'units_scale_ppb(age_ns, clock->growth_ppb)'),
    'epochs-mixed': ('timesyncd/core/peer.c',
                     'peer->claim.epoch == epoch &&', 'epoch != 0 &&'),
    'exchange-across-break': ('timesyncd/core/peer.c',
                              'err != RFS_ERR_OK || '
                              'exchange->t1_ns < trust_since_ns ||',
                              'err != RFS_ERR_OK ||'),
    'own-break-ignored': ('timesyncd/core/timesync.c',
                          'state_break(t, raw_ns, '
                          '"suspend, pause or clock step");',
                          't->disruptions++;'),
    # Changes of the membership (thesis, chapter 4).
    'joint-old-voters': ('raftd/core/members.c',
                         'return is_majority(members->voters, bits) && '
                         '(members->before == 0 || '
                         'is_majority(members->before, bits));',
                         'return is_majority(members->voters, bits);'),
    'joint-new-voters': ('raftd/core/members.c',
                         'return is_majority(members->voters, bits) &&',
                         'return (members->before || '
                         'is_majority(members->voters, bits)) &&'),
    'joint-ends-early': ('raftd/core/configure.c',
                         'raft->commit_index < raft->term_first_index || '
                         '!is_committed(raft) ||',
                         ''),
    'joint-skipped': ('raftd/core/configure.c', 'next.joint = true; for',
                      'for'),
    'learner-counts': ('raftd/core/members.c',
                       'members->voters |= (uint32_t)member->voter << i;',
                       'members->voters |= 1u << i;'),
    'change-before-commit': ('raftd/core/configure.c',
                             'return is_committed(raft) && '
                             '!raft->membership.joint &&',
                             'return !raft->membership.joint &&'),
    'change-before-own-term': ('raftd/core/configure.c',
                               'raft->commit_index >= '
                               'raft->term_first_index &&', ''),
    'change-not-undone': ('raftd/core/append_entries.c',
                          'configure_truncated(raft);', ''),
    'change-not-in-snapshot': ('raftd/core/install_snapshot.c',
                               'configure_compacted(raft, index);', ''),
    'snapshot-changes-nothing': ('raftd/core/install_snapshot.c',
                                 'configure_rebased(raft, membership);', ''),
    'joiner-votes': ('raftd/core/request_vote.c',
                     'm->term < raft->term || configure_is_nobody(raft)',
                     'm->term < raft->term'),
    'joiner-vouches': ('raftd/core/append_entries.c',
                       'if (raft->membership.count > 0) '
                       'reply->append_reply.round',
                       'reply->append_reply.round'),
    'forgotten-votes': ('raftd/core/configure.c',
                        'return configure_is_nobody(raft) &&',
                        'return false &&'),
    'removed-never-stands': ('raftd/core/election.c',
                             '(raft->voted_before && raft->commit_index < '
                             'raft->membership.index)', 'false'),
    'removed-is-granted': ('raftd/core/request_vote.c',
                           '&& !configure_is_removed(raft, m->from);', ';'),
    'removed-leads-on': ('raftd/core/configure.c',
                         'transfer_to_best(raft);', ';'),
    'removed-is-not-told': ('raftd/core/configure.c',
                            'peer_meet(raft, id)->left_index = '
                            'raft->membership.index;', ''),
    'promoted-at-once': ('raftd/core/configure.c',
                         'if (ended && !peer->filling && took_ns <= '
                         'rtt_election_timeout_ns(raft)) return true;',
                         'return true;'),
    'transfer-to-learner': ('raftd/core/timeout_now.c',
                            '|| !election_may_stand(raft)', ''),
}

# A word is a test program; a list is for the simulator.
ASKED = {
    'joint-old-voters': ['--scenario', 'changes'],
    'joint-new-voters': ['--scenario', 'changes'],
    'joint-ends-early': ['--scenario', 'changes', '--skip',
                         'one-change,joint'],
    'joint-skipped': ['--scenario', 'changes'],
    'learner-counts': ['--scenario', 'changes'],
    'change-before-commit': ['--scenario', 'changes'],
    'change-before-own-term': ['--scenario', 'changes'],
    'change-not-undone': ['--scenario', 'changes'],
    'change-not-in-snapshot': ['--scenario', 'changes'],
    'snapshot-changes-nothing': ['--scenario', 'changes'],
    'joiner-votes': 'raft_test',
    'joiner-vouches': 'raft_test',
    'forgotten-votes': 'raft_test',
    'removed-never-stands': 'raft_test',
    'removed-is-granted': 'raft_test',
    'removed-leads-on': 'story_test',
    'removed-is-not-told': 'story_test',
    'promoted-at-once': 'story_test',
    'transfer-to-learner': 'raft_test',
    'younger-margin': 'lease_test',
    'i9-stamp': 'story_test',
    'i9-records': 'lease_test',
    'i8-past-forgotten': 'story_test',
    'i8-off-at-once': 'story_test',
    'p-not-told': 'raft_test',
    'p-forgotten': 'raft_test',
    'i11-other-leader': 'story_test',
    'prevote-any-log': 'story_test',
    'prevote-beside-a-leader': 'story_test',
    'check-quorum': 'story_test',
    'i5-younger': 'lease_test',
    'unfit-successor': 'story_test',
    'unfit-again': 'story_test',
    'unfit-all-slow': 'story_test',
    'unfit-one-contradicts': 'story_test',
    'unfit-no-clock': 'story_test',
    'unfit-unreported': 'story_test',
    'detector-accident': 'detector_test',
    'vote-forgotten': ['--scenario', 'forget', '--skip',
                       'promises,hard-state'],
    'vote-not-durable': ['--scenario', 'forget', '--skip',
                         'promises,hard-state'],
    'commit-old-term': ['--scenario', 'figure-8', '--skip', 'commit-rule'],
    'repair-votes': ['--scenario', 'disks'],
    'repair-stands': ['--scenario', 'disks'],
    'repair-done-early': ['--scenario', 'disks'],
    'repair-not-told': 'story_test',
    'repair-not-heard': 'story_test',
    'repair-cut-first': 'mend_test',
    'torn-tail': 'wal_test',
    'e1': 'story_test',
}


def without(name):
    """The source without that rule, or None."""
    path, old, new = MUTANTS[name]
    pattern = r'\s+'.join(re.escape(word) for word in old.split())
    with open(path, encoding='utf-8') as source:
        text, count = re.subn(pattern, lambda m: new, source.read(), count=1)
    if count != 1:
        print(f'{name}: its rule is not found in {path}')
        return None
    return text


def build(name):
    """Compile and link one mutant; its path, or None."""
    text = without(name)
    if text is None:
        return None
    folder = f'{B}/mutants/{name}'
    os.makedirs(folder, exist_ok=True)
    mutant = f'{folder}/mutant'
    with open(f'{mutant}.c', 'w', encoding='utf-8') as copy:
        copy.write(text)
    archives = [f'{B}/tests-sim.a', f'{B}/raftd-core.a',
                f'{B}/timesyncd-core.a', f'{B}/common.a']
    host, libraries = [f'{B}/tests/sim/main.o'], ['-lisal', '-lm']
    if isinstance(ASKED.get(name), str):
        host = [f'{B}/tests/raftd/{ASKED[name]}.o',
                f'{B}/tests/raftd/cluster.o']
        archives += [f'{B}/raftd-shell.a', f'{B}/common-os.a']
        libraries = ['-lcmocka', '-lsodium'] + libraries
    flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-w', '-pthread']
    # The mutant's object stands before the archive that holds the original.
    for command in (
            [CC, *flags, '-I.', '-c', '-o', f'{mutant}.o', f'{mutant}.c'],
            [CC, *flags, '-o', mutant, *host, f'{mutant}.o',
             '-Wl,--start-group', *archives, '-Wl,--end-group', *libraries]):
        if subprocess.run(command, check=False).returncode != 0:
            return None
    return mutant


def failed_test(mutant):
    """The test or story that fails, or None."""
    try:
        out = subprocess.run([mutant], check=False, capture_output=True,
                             text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return 'the tests do not end'
    found = re.search(r'FAILED  \] ([a-z]\S+)', out.stdout + out.stderr)
    if found:
        return f'test {found[1]} failed'
    return 'a CHECK failed' if out.returncode < 0 else None


def violated(mutant, arguments):
    """What the simulator says of it, or None."""
    end = time.monotonic() + LIMIT_S
    for first, count in BATCHES:
        try:
            out = subprocess.run(
                [mutant, '--seed', str(first), '--seeds', str(count),
                 '--minutes', '2', '--tail', '0', '--jobs', '1', '--stop',
                 *arguments],
                check=False, capture_output=True, text=True,
                timeout=max(end - time.monotonic(), 1)).stdout
        except subprocess.TimeoutExpired:
            return None
        found = re.search(r'^seed (\d+): violated (\S+)', out, re.M)
        if found:
            return f'seed {found[1]} violated {found[2]}'
        found = re.search(r'^seed (\d+): the process died', out, re.M)
        if found:
            return f'seed {found[1]} failed a CHECK'
    return None


def sound(names):
    """Does what must fail pass while nothing is deleted?"""
    tests = {ASKED[name] for name in names
             if isinstance(ASKED.get(name), str)}
    for test in sorted(tests):
        if subprocess.run([f'{B}/tests/raftd/{test}'], check=False,
                          capture_output=True).returncode != 0:
            print(f'{test} fails before anything is deleted')
            return False
    if subprocess.run([f'{B}/raftfs-sim', '--seeds', '4', '--minutes', '1'],
                      check=False, capture_output=True).returncode != 0:
        print('raftfs-sim fails before anything is deleted')
        return False
    return True


def judge(name):
    """What caught it, or None."""
    asked = ASKED.get(name, [])
    mutant = build(name)
    verdict = None
    if mutant and isinstance(asked, str):
        verdict = failed_test(mutant)
    elif mutant:
        verdict = violated(mutant, asked)
    print(f'{name}: {verdict or "SURVIVED"}', flush=True)
    return verdict


def main():
    """Run the named mutants, or all."""
    if sys.argv[1:] == ['--find']:
        missing = [name for name in MUTANTS if without(name) is None]
        print(f'{len(MUTANTS) - len(missing)} passed, {len(missing)} failed')
        return 1 if missing else 0
    names = sys.argv[1:] or list(MUTANTS)
    if not sound(names):
        print('0 passed, 1 failed')
        return 1
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = dict(zip(names, pool.map(judge, names)))
    survivors = [name for name in names if not verdicts[name]]
    for name in survivors:
        print(f'survivor: {name}')
    killed = len(names) - len(survivors)
    print(f'figure mutants.killed {killed} of {len(names)}')
    print(f'{killed} passed, {len(survivors)} failed')
    return 1 if survivors else 0


if __name__ == '__main__':
    sys.exit(main())
