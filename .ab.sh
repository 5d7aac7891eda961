# min over repeats: level -> ns/byte for chosen arrays
A="${ARR:-turbidity_u1 photographs_u1 head_u1 tissue_u1 sparse_f4}"
for n in $A; do case $n in *f4) i=4;; *f8|*i8) i=8;; *u2) i=2;; *) i=1;; esac; P="$P bench/corpus/data/$n.npy:$i"; done
for r in 1 2 3 4; do for b in "$@"; do for l in ${LV:-6}; do nice -n 15 $b $l 512 $P | sed "s#^#$b $l #"; done; done; done | python3.11 -c "
import sys
d={}
for l in sys.stdin:
    b,lv,p,n,c,t=l.split(); k=(p.split('/')[-1],b.split('/')[-1],lv); v=float(t)*2e9/int(n); o=d.get(k,(9e9,0)); d[k]=(min(v,o[0]),int(n)/int(c))
for k,v in sorted(d.items()): print(*k,'%.2f ns/B  ratio %.4f'%v)"
