import type { PlayerState } from '../index.ts';

/** A line to be read from afar, and what there is to know beside it. */
export type Notice = readonly [title: string, detail?: string];

/** What a viewer is told in each state; undefined while the picture speaks for itself. `seen`: it has played before. */
export function noticeOf(state: PlayerState, seen: boolean): Notice | undefined {
  switch (state.phase) {
    case 'connecting':
      return ['Connecting …'];
    case 'playing':
      return state.video ? undefined : ['Playing sound only'];
    case 'blocked':
      return ['Ready to play', 'Click Play to start.'];
    case 'stalled':
      return ['The stream pauses', 'Nothing comes from its source. It goes on by itself.'];
    case 'waiting':
      return waiting(state, seen);
    case 'refused':
      return refused(state);
    case 'closed':
      return ['Stopped'];
  }
}

const OVER: Notice = ['The stream has ended', 'If it goes on, it goes on here.'];

function waiting({ cause, reason, seconds }: PlayerState & { phase: 'waiting' }, seen: boolean): Notice {
  const again = `Trying again in ${Math.ceil(seconds)} s.`;
  switch (cause) {
    case 'not-live':
      return seen ? OVER : ['Waiting for the stream', 'It is not live yet. It starts here by itself.'];
    case 'ended':
      return OVER;
    case 'not-found':
      return ['There is no such stream', `It may still be added. ${again}`];
    case 'busy':
      return ['The server is busy', `${quote(reason)} ${again}`];
    case 'unreachable':
      return ['The server cannot be reached', again];
    case 'lost':
      return ['The connection was lost', again];
    default:
      return ['The server has a problem', `${quote(reason)} ${again}`];
  }
}

function refused({ cause, reason }: PlayerState & { phase: 'refused' }): Notice {
  switch (cause) {
    case 'unauthorized':
      return ['This stream needs a token', quote(reason)];
    case 'forbidden':
      return ['You may not watch this stream', quote(reason)];
    case 'codec':
      return [`This browser cannot decode ${/missing: (\w+)/.exec(reason)?.[1] ?? 'this stream'}`, quote(reason)];
    default:
      return ['The server refused to play', quote(reason)];
  }
}

/** The words of the server. */
function quote(reason: string): string {
  return `The server says: “${reason}”.`;
}
