import json,subprocess,sys,math,numpy as np
level,block=sys.argv[1],sys.argv[2]; small=len(sys.argv)>3 and sys.argv[3]=='small'
only=sys.argv[3] if len(sys.argv)>3 and not small else ''
base=json.load(open('bench/corpus/data/zlib.json'))
E=[e for e in json.load(open('bench/corpus/data/corpus.json')) if (e['bytes']<8<<20)==small and only in e['name']]
def it(e):
    d=np.lib.format.descr_to_dtype(e['dtype'] if isinstance(e['dtype'],str) else [tuple(x) for x in e['dtype']]); return d.itemsize
args=[f"bench/corpus/data/{e['name']}.npy:{it(e)}" for e in E]
out=subprocess.run(['target/release/examples/deflate_blocks',level,block]+args,capture_output=True,text=True)
if out.returncode: print(out.stderr)
R=[];S=[]
for e,l in zip(E,out.stdout.splitlines()):
    p,n,c,t=l.split(); n=int(n);c=int(c);t=float(t)
    N,C,T=base[e['name']]
    r=(n/c)/(N/C); s=(n/t)/(N/T); R.append(r);S.append(s)
    print(f"{e['name']:22} zlib {N/C:8.3f} {N/T/1e6:6.1f}  ours {n/c:8.3f} {n/t/1e6:7.1f}   ratio {r:.3f} speed {s:6.1f}")
g=lambda x: math.exp(sum(map(math.log,x))/len(x))
print(f"GEO level {level} block {block}: ratio {g(R):.4f} (min {min(R):.3f}) speed {g(S):.1f} (min {min(S):.1f})")
