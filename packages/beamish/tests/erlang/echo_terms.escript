%% Reads frames from standard input and answers each: the tests of the term format.
%%   <<"D", Term>>             decodes the term and encodes it again
%%   <<"R", Seed:32, N:32>>    sends N random terms; checks that each comes back unchanged
main(_) ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    loop().

loop() ->
    case read() of
        eof -> ok;
        <<"D", Bin/binary>> -> write(term_to_binary(binary_to_term(Bin))), loop();
        <<"R", Seed:32, N:32>> ->
            rand:seed(exsss, Seed),
            write(integer_to_binary(wrong(N, 0))),
            loop()
    end.

wrong(0, Wrong) -> Wrong;
wrong(N, Wrong) ->
    Term = term(4),
    write(term_to_binary(Term)),
    Same = try binary_to_term(read()) =:= Term catch _:_ -> false end,
    wrong(N - 1, case Same of true -> Wrong; false -> Wrong + 1 end).

term(0) -> leaf(rand:uniform(12));
term(D) ->
    case rand:uniform(9) of
        1 -> list_to_tuple(terms(D - 1));
        2 -> terms(D - 1);
        3 -> maps:from_list([{term(D - 1), term(D - 1)} || _ <- terms(0)]);
        4 -> [term(D - 1) | leaf(rand:uniform(7))];
        _ -> leaf(rand:uniform(12))
    end.

terms(D) -> [term(D) || _ <- lists:seq(1, rand:uniform(5) - 1)].

leaf(1) -> rand:uniform(300) - 20;
leaf(2) -> rand:uniform(1 bsl 40) - (1 bsl 39);
leaf(3) -> (rand:uniform(1 bsl 64) bsl rand:uniform(3000)) * (rand:uniform(3) - 2);
leaf(4) -> (rand:uniform() - 0.5) * math:pow(10, rand:uniform(600) - 300);
leaf(5) -> rand:bytes(rand:uniform(40) - 1);
leaf(6) -> lists:nth(rand:uniform(7), [true, false, nil, undefined, '', 'Elixir.Enum', 'grün €']);
leaf(7) -> <<(rand:uniform(128) - 1):7, (rand:bytes(3))/binary>>;
leaf(8) -> self();
leaf(9) -> make_ref();
leaf(10) -> fun lists:sort/1;
leaf(11) -> X = rand:uniform(9), fun(Y) -> X + Y end;
leaf(12) -> "a charlist".

read() ->
    case file:read(standard_io, 4) of
        {ok, <<Size:32>>} -> {ok, Bin} = file:read(standard_io, Size), Bin;
        eof -> eof
    end.

write(Bin) -> ok = file:write(standard_io, [<<(byte_size(Bin)):32>>, Bin]).
