"""Whether a video shows what its prompt says: judged on the miniature world by classical vision, without any network.

`sight.look` sees all that is in a video and is told nothing of its prompt; `verdicts.judge` holds that against what the
prompt asks for. The same verdicts on the world's own footage are the ceiling, and with wrong prompts the floor.
"""
